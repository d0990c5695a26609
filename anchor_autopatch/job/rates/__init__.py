"""Rates: what a price list or a contract asks for a unit, from when to when."""

from anchor_autopatch.job.rates.contracts import ContractTerms, set_rate
from anchor_autopatch.job.rates.segments import SyncReport, sync_installed, sync_table

__all__ = (
    "ContractTerms",
    "SyncReport",
    "set_rate",
    "sync_installed",
    "sync_table",
)
