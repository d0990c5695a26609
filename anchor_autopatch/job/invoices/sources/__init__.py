"""Billing sources, one module each."""

from __future__ import annotations

from anchor_autopatch.job.invoices.reading import Source
from anchor_autopatch.job.invoices.sources import (
    anthropic_analytics,
    anthropic_cost,
    anthropic_usage,
    aws_cur,
    azure_cost,
    focus,
    gcp_billing,
    generic_csv,
    litellm_spend,
    openai_costs,
    openai_usage,
    openrouter,
    xai_invoice,
    xai_usage,
)

__all__ = ("SOURCES",)

# In the order in which a payload is looked at: usage reports have the buckets of cost reports, and
# the generic CSV takes any table, so it comes last.
_MODULES = (
    openai_usage,
    openai_costs,
    anthropic_usage,
    anthropic_analytics,
    anthropic_cost,
    xai_invoice,
    xai_usage,
    openrouter,
    gcp_billing,
    aws_cur,
    azure_cost,
    focus,
    litellm_spend,
    generic_csv,
)

SOURCES: dict[str, Source] = {module.SOURCE.name: module.SOURCE for module in _MODULES}
"""Name, as `--format` has it -> source."""
