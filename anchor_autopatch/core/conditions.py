"""Incidents that no failure began but a condition of the money: what a budget or a bill says."""

from __future__ import annotations

SEVERITIES = {
    "budget_threshold": "warning",
    "budget_exceeded": "error",
    "budget_burn": "critical",
    "budget_pace": "warning",
    "spend_anomaly": "error",
    "retry_storm": "error",
    "useless_retry": "warning",
    "unpriced_model": "warning",
}
"""Class -> severity, always at the first occurrence."""
BUDGETS = frozenset(("budget_threshold", "budget_exceeded", "budget_burn", "budget_pace"))
"""Classes about a budget in a month; their `code` is `name/YYYY-MM@share of amount`."""
