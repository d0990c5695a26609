"""Variance: why an invoice is not what its receipts were estimated to cost, and who mends it."""

from __future__ import annotations

from anchor_autopatch.job.variance.finding import (
    Action,
    actions,
    find_unsettled,
    find_variances,
)
from anchor_autopatch.job.variance.rules import OWNERS, VarianceRules, read_variance_rules

__all__ = (
    "OWNERS",
    "Action",
    "VarianceRules",
    "actions",
    "find_unsettled",
    "find_variances",
    "read_variance_rules",
)
