"""The month-end close: review, sign-off, freeze, and corrections afterwards."""

from __future__ import annotations

from anchor_autopatch.job.close.closing import (
    Missing,
    Reviewed,
    freeze,
    missing_signatures,
    restate,
    review,
    sign_off,
)
from anchor_autopatch.job.close.correcting import propose_late
from anchor_autopatch.job.close.findings import find_open_proposals, mark_modes
from anchor_autopatch.job.close.rules import CloseRules, read_rules

__all__ = (
    "CloseRules",
    "Missing",
    "Reviewed",
    "find_open_proposals",
    "freeze",
    "mark_modes",
    "missing_signatures",
    "propose_late",
    "read_rules",
    "restate",
    "review",
    "sign_off",
)
