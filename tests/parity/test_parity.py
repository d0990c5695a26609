"""Our SQL and LiteLLM's own functions agree to 1e-12 USD on random receipts of every model.

ANCHOR_PARITY_CASES sets how many cases each kind gets; plain test runs take a sample.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from anchor_autopatch.job.rates.source import read_installed
from tests.parity import cases as make
from tests.parity.answers import is_equal, price_cases
from tests.parity.differences import expected

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

COUNT = int(os.environ.get("ANCHOR_PARITY_CASES", "1000"))
SEED = int(os.environ.get("ANCHOR_PARITY_SEED", "6"))
KINDS = {
    "tokens": make.litellm_cases,
    "batch": make.batch_cases,
    "anthropic": make.anthropic_cases,
    "gemini": make.gemini_cases,
    "openai": make.openai_cases,
    "vertex": make.vertex_cases,
    "bedrock": make.bedrock_cases,
}


def billed_by(provider):
    """The provider of a receipt, for a provider as the list files it."""
    for family in ("vertex_ai", "fireworks_ai"):
        if provider.startswith(family):
            return family
    return "bedrock" if provider == "bedrock_converse" else provider


def listed_models(con):
    rows = con.execute("SELECT model_key, provider FROM rate_segment ORDER BY ALL").fetchall()
    return [(key, billed_by(provider)) for key, provider in rows]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_litellm_says_the_same_or_a_known_other_amount(con, oracle, kind, record_parity):
    table = read_installed().models
    cases = KINDS[kind](listed_models(con), COUNT, SEED)

    seen, wrong = Counter(), []
    for case, ours in zip(cases, price_cases(con, cases), strict=True):
        theirs = oracle.cost(case)
        said = expected(case, table, ours)
        seen[said.name or "equal"] += 1
        if not is_equal(said.amount, theirs):
            wrong.append((said.name, case, ours, theirs))

    record_parity(kind, seen)
    assert not wrong, f"{len(wrong)} of {len(cases)}, the first: {wrong[:3]}"
    assert seen["equal"] >= COUNT // 4
