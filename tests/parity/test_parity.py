"""Our SQL and LiteLLM's own functions agree to 1e-12 USD on random receipts of every model.

ANCHOR_PARITY_CASES sets how many cases each kind gets; plain test runs take a sample.
"""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import pytest

from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.pricing import price
from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.rates.source import read_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.parity import cases as make
from tests.parity.differences import expected
from tests.parity.oracle import Oracle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

NOW = datetime(2026, 11, 22, tzinfo=UTC)
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
CREATE_CASES = """
    CREATE TEMP TABLE cases (
        receipt_id VARCHAR, occurred_at TIMESTAMP, provider VARCHAR, request_model VARCHAR,
        usage_shape VARCHAR, raw_usage VARCHAR, price_facts VARCHAR, provider_host VARCHAR
    )
"""
INSERT_CASES = """
    INSERT INTO receipt BY NAME
    SELECT
        *,
        true AS billable,
        '' AS provider_account,
        'outbox-1' AS outbox_id,
        1 AS writer_seq,
        occurred_at AS shipped_at
    FROM cases
"""


READ_PRICES = "SELECT receipt_id, model_key, estimated_cost_usd FROM receipt_price"
READ_LINES = "SELECT receipt_id, meter, quantity, cost_usd FROM usage_line"


class Line(NamedTuple):
    """One meter of an answer; a meter without a rate costs 0 here."""

    quantity: Decimal
    cost: Decimal


class Answer(NamedTuple):
    """What we say of a case: the key of the list, USD (None = unpriced), and the lines."""

    model_key: str | None
    cost: Decimal | None
    lines: dict[str, Line]


@pytest.fixture(scope="module")
def oracle():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield Oracle()


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        sync_installed(con, NOW)
        yield con


def billed_by(provider):
    """The provider of a receipt, for a provider as the list files it."""
    for family in ("vertex_ai", "fireworks_ai"):
        if provider.startswith(family):
            return family
    return "bedrock" if provider == "bedrock_converse" else provider


def listed_models(con):
    rows = con.execute("SELECT model_key, provider FROM rate_segment ORDER BY ALL").fetchall()
    return [(key, billed_by(provider)) for key, provider in rows]


def price_cases(con, cases):
    """Our answer to each case, by measuring and pricing in SQL."""
    con.execute(CREATE_CASES)
    with con.appender("cases") as appender:
        for number, case in enumerate(cases):
            usage, facts = json.dumps(case.usage), json.dumps(case.facts)
            named = (case.provider, case.model, case.usage_shape)
            appender.append_row(str(number), case.occurred_at, *named, usage, facts, case.host)
    con.execute(INSERT_CASES)
    measure(con, NOW)
    price(con, NOW)
    lines = defaultdict(dict)
    for number, meter, quantity, cost in con.execute(READ_LINES).fetchall():
        lines[number][meter] = Line(quantity, cost or Decimal(0))
    prices = {number: row for number, *row in con.execute(READ_PRICES).fetchall()}
    return [Answer(*prices[str(n)], lines[str(n)]) for n in range(len(cases))]


def is_equal(ours, theirs):
    # LiteLLM adds floats: beyond 1e-14 of the amount its own digits are noise.
    return ours is not None and abs(ours - theirs) <= Decimal("1e-12") + theirs * Decimal("1e-14")


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
