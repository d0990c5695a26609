"""Our SQL and LiteLLM's own functions agree to 1e-12 USD on random receipts of every model.

ANCHOR_PARITY_CASES sets how many cases each kind gets; plain test runs take a sample.
"""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.pricing import price
from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.rates.source import read_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.parity import cases as make
from tests.parity.exceptions import explain
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
    """(key of the list, estimated cost) of each case by our SQL; None = unpriced."""
    con.execute(CREATE_CASES)
    with con.appender("cases") as appender:
        for number, case in enumerate(cases):
            usage, facts = json.dumps(case.usage), json.dumps(case.facts)
            named = (case.provider, case.model, case.usage_shape)
            appender.append_row(str(number), case.occurred_at, *named, usage, facts, case.host)
    con.execute(INSERT_CASES)
    measure(con, NOW)
    price(con, NOW)
    sql = "SELECT receipt_id, model_key, estimated_cost_usd FROM receipt_price"
    prices = {number: (key, cost) for number, key, cost in con.execute(sql).fetchall()}
    return [prices[str(number)] for number in range(len(cases))]


def is_equal(ours, theirs):
    # LiteLLM adds floats: beyond 1e-14 of the amount its own digits are noise.
    return ours is not None and abs(ours - theirs) <= Decimal("1e-12") + theirs * Decimal("1e-14")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_every_difference_from_litellm_is_explained(con, oracle, kind, record_property):
    table = read_installed().models
    cases = KINDS[kind](listed_models(con), COUNT, SEED)

    verdicts = Counter()
    unexplained = []
    for case, (key, ours) in zip(cases, price_cases(con, cases), strict=True):
        theirs = oracle.cost(case)
        verdict = "equal"
        if not is_equal(ours, theirs):
            verdict = explain(case, table.get(key, {}), ours, theirs)
        verdicts[verdict] += 1
        if verdict is None:
            unexplained.append((case, ours, theirs))

    record_property(kind, dict(verdicts))
    assert not unexplained, unexplained[:3]
    assert verdicts["equal"] >= COUNT // 4
