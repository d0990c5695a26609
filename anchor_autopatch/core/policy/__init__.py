"""The policy: what `anchor.toml` asks of attributions, read and judged alike by both halves."""

from __future__ import annotations

from anchor_autopatch.core.policy.judging import Violation, mode_of, violations
from anchor_autopatch.core.policy.reading import read_policy
from anchor_autopatch.core.policy.records import (
    QUARANTINE,
    REJECT,
    REPORT,
    Policy,
    Problem,
    Rule,
)

__all__ = (
    "QUARANTINE",
    "REJECT",
    "REPORT",
    "Policy",
    "Problem",
    "Rule",
    "Violation",
    "mode_of",
    "read_policy",
    "violations",
)
