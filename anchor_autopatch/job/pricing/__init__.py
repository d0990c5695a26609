"""Prices: receipts x rates, in SQL, by the model that a name means."""

from anchor_autopatch.job.pricing.findings import (
    Proposal,
    assume_proposals,
    find_prices,
    proposals,
    repriced_periods,
)
from anchor_autopatch.job.pricing.implied import find_drifts, hold_against_cards
from anchor_autopatch.job.pricing.prices import PRICING_VERSION, PriceReport, price, read_catalogue

__all__ = (
    "PRICING_VERSION",
    "PriceReport",
    "Proposal",
    "assume_proposals",
    "find_drifts",
    "find_prices",
    "hold_against_cards",
    "price",
    "proposals",
    "read_catalogue",
    "repriced_periods",
)
