"""Whether receipts prove enough for a charge that can be defended, and what would mend the rest."""

from __future__ import annotations

from anchor_autopatch.job.audit.evidence import (
    ENOUGH,
    MISSING,
    WEAK,
    Audit,
    Check,
    Evidence,
    audit_evidence,
)
from anchor_autopatch.job.audit.fields import FIELDS, ServiceFields, missing_fields
from anchor_autopatch.job.audit.finding import Found, find_receipts

__all__ = (
    "ENOUGH",
    "FIELDS",
    "MISSING",
    "WEAK",
    "Audit",
    "Check",
    "Evidence",
    "Found",
    "ServiceFields",
    "audit_evidence",
    "find_receipts",
    "missing_fields",
)
