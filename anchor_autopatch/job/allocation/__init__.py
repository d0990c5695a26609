"""Allocation: every invoice divided over the receipts that caused it, to the cent."""

from anchor_autopatch.job.allocation.allocating import (
    AllocationReport,
    KeyMap,
    Reconciled,
    Threshold,
    allocate_open_periods,
    divide_anew,
)
from anchor_autopatch.job.allocation.policies import Policies, read_policies
from anchor_autopatch.job.allocation.scopes import note_edges

__all__ = (
    "AllocationReport",
    "KeyMap",
    "Policies",
    "Reconciled",
    "Threshold",
    "allocate_open_periods",
    "divide_anew",
    "note_edges",
    "read_policies",
)
