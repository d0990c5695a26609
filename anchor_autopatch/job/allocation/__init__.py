"""Allocation: every invoice divided over the receipts that caused it, to the cent."""

from anchor_autopatch.job.allocation.allocating import (
    AllocationReport,
    KeyMap,
    Reconciled,
    Threshold,
    allocate_open_periods,
    divide_anew,
)

__all__ = (
    "AllocationReport",
    "KeyMap",
    "Reconciled",
    "Threshold",
    "allocate_open_periods",
    "divide_anew",
)
