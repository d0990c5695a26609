"""Rates: what a price list or a contract asks for a unit, from when to when."""

from anchor_autopatch.job.rates.contracts import ContractTerms, set_rate
from anchor_autopatch.job.rates.dating import (
    StartsReport,
    find_not_asked,
    read_starts_from,
    take_starts,
    take_starts_if_asked,
    used_models,
)
from anchor_autopatch.job.rates.segments import SyncReport, sync_installed, sync_table
from anchor_autopatch.job.rates.starts import RateStart, set_start

__all__ = (
    "ContractTerms",
    "RateStart",
    "StartsReport",
    "SyncReport",
    "find_not_asked",
    "read_starts_from",
    "set_rate",
    "set_start",
    "sync_installed",
    "sync_table",
    "take_starts",
    "take_starts_if_asked",
    "used_models",
)
