"""Rate cards: the published fields of a model -> wide rows of unit prices by tier and bracket.

The rules are those of LiteLLM 1.109.1 (litellm_core_utils/llm_cost_calc, read 2026-11), resolved
once per card instead of once per call.
"""

from anchor_autopatch.job.rates.card.fields import parse_fields
from anchor_autopatch.job.rates.card.sheet import (
    CARD_VERSION,
    OPEN_BRACKET,
    RATE_COLUMNS,
    RateRow,
    RateSheet,
    build_sheet,
    sheet_identity,
)

__all__ = (
    "CARD_VERSION",
    "OPEN_BRACKET",
    "RATE_COLUMNS",
    "RateRow",
    "RateSheet",
    "build_sheet",
    "parse_fields",
    "sheet_identity",
)
