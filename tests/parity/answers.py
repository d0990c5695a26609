"""Our answers to cases: measured and priced in a warehouse, as receipts are."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.pricing import price

NOW = datetime(2026, 11, 22, tzinfo=UTC)
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
READ_LINES = "SELECT receipt_id, meter, quantity, unit_price_usd, cost_usd FROM usage_line"


class Line(NamedTuple):
    """One meter of an answer; a meter without a rate costs 0 here."""

    quantity: Decimal
    unit: Decimal | None
    cost: Decimal


class Answer(NamedTuple):
    """What we say of a case: the key of the list, USD (None = unpriced), and the lines."""

    model_key: str | None
    cost: Decimal | None
    lines: dict[str, Line]


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
    for number, meter, quantity, unit, cost in con.execute(READ_LINES).fetchall():
        lines[number][meter] = Line(quantity, unit, cost or Decimal(0))
    prices = {number: row for number, *row in con.execute(READ_PRICES).fetchall()}
    return [Answer(*prices[str(n)], lines[str(n)]) for n in range(len(cases))]


def is_equal(ours, theirs):
    # LiteLLM adds floats: beyond 1e-14 of the amount its own digits are noise.
    return ours is not None and abs(ours - theirs) <= Decimal("1e-12") + theirs * Decimal("1e-14")
