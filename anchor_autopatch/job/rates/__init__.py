"""Rates: what a price list or a contract asks for a unit, from when to when."""

from anchor_autopatch.job.rates.contracts import ContractTerms, set_rate
from anchor_autopatch.job.rates.segments import SyncReport, sync_installed, sync_table
from anchor_autopatch.job.rates.starts import RateStart, set_start

__all__ = (
    "ContractTerms",
    "RateStart",
    "SyncReport",
    "set_rate",
    "set_start",
    "sync_installed",
    "sync_table",
)
