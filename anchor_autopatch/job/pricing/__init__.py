"""Prices: receipts x rates, in SQL, by the model that a name means."""

from anchor_autopatch.job.pricing.prices import PRICING_VERSION, PriceReport, price, read_catalogue

__all__ = (
    "PRICING_VERSION",
    "PriceReport",
    "price",
    "read_catalogue",
)
