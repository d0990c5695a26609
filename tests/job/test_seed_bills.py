"""The bills that this project was asked to explain, with their figures."""

from __future__ import annotations

import duckdb
import pytest

from anchor_autopatch.core.settings import REPORT_FILE
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.verify.sums import check_invoices, check_split
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, add_call, allocate, usd

GPT_4O = {"provider": "openai", "model": "gpt-4o-2024-08-06"}
TOTALS = {"anchored": 0, "invoices": 0}


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def costs(con, key="service"):
    sql = f"SELECT {key}, sum(anchored_cost) FROM app_cost GROUP BY ALL ORDER BY ALL"
    return con.execute(sql).fetchall()


def call(con, receipt_id, service, cost, prompt_tokens, **fields):
    """A call of gpt-4o with a prompt of so many tokens."""
    add_call(con, receipt_id, service, cost, **GPT_4O | fields)
    con.execute(
        "UPDATE receipt_meters SET prompt_tokens = ? WHERE receipt_id = ?",
        [prompt_tokens, receipt_id],
    )


def test_one_bill_of_29200_dollars_is_two_providers_and_their_teams(con):
    add_call(con, "o1", "search", "13.65", provider="openai", model="gpt-4o", team="search")
    add_call(con, "o2", "support", "4.55", provider="openai", model="gpt-4o", team="support")
    add_call(con, "a1", "search", "2.20", provider="anthropic", model="claude", team="search")
    add_call(con, "a2", "legal", "8.80", provider="anthropic", model="claude", team="legal")
    add_total(con, TypedTotal("openai", "2026-10", "18200.00", "USD"), NOW)
    add_total(con, TypedTotal("anthropic", "2026-10", "11000.00", "USD"), NOW)

    allocate(con)

    assert costs(con, "provider, team") == [
        ("anthropic", "legal", usd("8800")),
        ("anthropic", "search", usd("2200")),
        ("openai", "search", usd("13650")),
        ("openai", "support", usd("4550")),
    ]
    assert sum(amount for *_, amount in costs(con)) == usd("29200.00")
    assert (check_split(con, TOTALS).faults, check_invoices(con, TOTALS).faults) == ((), ())


def test_the_loop_behind_7400_of_18200_dollars_is_found(con, tmp_path):
    # One request of the summariser sends the same prompt over and over: 6,000 of its 7,400.
    for number in range(60):
        looped = {"request_id": "q-7", "call_site": "summary.retry:ask", "feature": "digest"}
        call(con, f"loop{number}", "summarise", "0.10", 41_200, **looped)
    for number in range(14):
        call(con, f"s{number}", "summarise", "0.10", 900 + number, request_id=f"q{number}")
    for service, cost in {"search": "5.70", "support": "3.80", "billing": "1.30"}.items():
        call(con, service, service, cost, 500, request_id=f"q-{service}")
    add_total(con, TypedTotal("openai", "2026-10", "18200.00", "USD"), NOW)

    allocate(con)
    publish(con, tmp_path, NOW)

    assert costs(con) == [
        ("billing", usd("1300")),
        ("search", usd("5700")),
        ("summarise", usd("7400")),
        ("support", usd("3800")),
    ]
    with duckdb.connect(str(tmp_path / REPORT_FILE), read_only=True) as report:
        asked = "SELECT service, call_site, calls, anchored_cost, wasted_cost FROM retry_loops"
        assert report.execute(asked).fetchall() == [
            ("summarise", "summary.retry:ask", 60, usd("6000"), usd("5900"))
        ]
