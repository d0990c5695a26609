"""Prices: receipts x rates, in SQL, by the model that a name means."""

from anchor_autopatch.job.pricing.findings import Proposal, find_prices, proposals
from anchor_autopatch.job.pricing.prices import PRICING_VERSION, PriceReport, price, read_catalogue

__all__ = (
    "PRICING_VERSION",
    "PriceReport",
    "Proposal",
    "find_prices",
    "price",
    "proposals",
    "read_catalogue",
)
