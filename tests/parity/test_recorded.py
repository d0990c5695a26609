"""Usage that real providers sent costs what it costs by LiteLLM's own reading of it."""

from __future__ import annotations

from collections import Counter

import pytest

from anchor_autopatch.job.rates.source import read_installed
from tests.conformance.corpus import EXCHANGES
from tests.parity.answers import is_equal, price_cases
from tests.parity.differences import expected
from tests.parity.recorded import recorded_cases

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not EXCHANGES.exists(), reason="no recorded exchanges beside this checkout"),
]


def test_recorded_usage_costs_what_litellm_reads_in_it(con, oracle, record_parity):
    table = read_installed().models
    cases = recorded_cases(table)

    seen, wrong = Counter(), []
    for case, ours in zip(cases, price_cases(con, cases), strict=True):
        theirs = oracle.cost(case)
        said = expected(case, table, ours)
        seen[said.name or "equal"] += 1
        if not is_equal(said.amount, theirs):
            wrong.append((said.name, case, ours, theirs))

    record_parity("recorded", seen)
    assert not wrong, f"{len(wrong)} of {len(cases)}, the first: {wrong[:3]}"
    assert len(cases) > 1_000
