"""What the demo leaves behind: money to the cent, calls as billed, nothing doubled."""

from __future__ import annotations

import json
import os
import subprocess
import tokenize
from collections import Counter
from decimal import Decimal

import pytest

from tests.demo.conftest import CHECKOUT, PYTHON, Played

pytestmark = pytest.mark.slow

APPLICATIONS = CHECKOUT / "examples" / "apps"
PARITY = CHECKOUT / "tests" / "demo" / "litellm_costs.py"


def test_gemini_bill_splits_into_84_and_16(demo: Played) -> None:
    shares = demo.query(
        "SELECT service, sum(anchored_cost) FROM app_costs WHERE provider = 'gemini' GROUP BY ALL"
    )

    assert dict(shares) == {"image-generator": Decimal("84.00"), "chatbot": Decimal("16.00")}


@pytest.mark.parametrize("split", ["app_costs", "feature_costs", "user_costs", "request_costs"])
def test_every_split_sums_to_each_invoice(demo: Played, split: str) -> None:
    sums = demo.query(f"SELECT provider, sum(anchored_cost) FROM {split} GROUP BY ALL ORDER BY ALL")
    totals = demo.query("SELECT provider, invoice_total FROM reconciliation ORDER BY ALL")

    assert sums == totals
    assert [provider for provider, _ in totals] == ["anthropic", "gemini", "openai"]


def test_ledger_and_receipts_are_the_same_calls(demo: Played) -> None:
    billed = Counter((row["provider"], row["response_id"]) for row in demo.ledger())
    receipts = demo.query("SELECT provider, response_id FROM receipts WHERE billable")

    assert Counter(receipts) == billed


def test_models_and_streams_are_as_billed(demo: Played) -> None:
    billed = Counter((row["requested_model"], row["model"], row["stream"]) for row in demo.ledger())
    receipts = demo.query("SELECT request_model, response_model, stream FROM receipts")

    assert Counter(receipts) == billed


def test_nothing_is_doubled_by_layers_or_records(demo: Played) -> None:
    [(receipts, distinct)] = demo.query("SELECT count(*), count(DISTINCT receipt_id) FROM receipts")
    agent = demo.query("SELECT DISTINCT sdk FROM receipts WHERE service = 'agent'")

    assert receipts == distinct == len(demo.ledger())
    assert agent == [("litellm>openai",)]


def test_call_of_an_overloaded_model_failed_once(demo: Played) -> None:
    events = demo.query(
        "SELECT class, provider, request_model, http_status, attempts, service, receipt_id"
        " FROM exception_events WHERE NOT retried"
    )

    expected = ("provider_overloaded", "anthropic", "claude-opus-4-5", 529, 3, "summariser", None)
    assert events == [expected]


def test_no_money_is_left_without_an_owner(demo: Played) -> None:
    rows = demo.query("SELECT untracked, unallocated, rounding FROM reconciliation")
    unpriced = demo.query("SELECT * FROM unpriced_models")

    assert not any(any(row) for row in rows)
    assert unpriced == []


def test_capture_is_whole(demo: Played) -> None:
    rows = demo.query("SELECT missing_rows, corrupt_rows, dropped_rows FROM capture_health")

    assert rows
    assert not any(any(row) for row in rows)


def test_screen_says_what_holds_and_what_comes_next(demo: Played) -> None:
    assert "= 100.00 USD = invoice" in demo.screen
    assert demo.screen.count("sum = invoice") == 6
    assert "What to type next" in demo.screen


@pytest.mark.parametrize("script", ["chatbot", "image_generator", "summariser"])
def test_applications_hold_no_line_about_us(script: str) -> None:
    with (APPLICATIONS / f"{script}.py").open("rb") as source:
        words = {token.string.lower() for token in tokenize.tokenize(source.readline)}

    assert not any("anchor" in word or "receipt" in word for word in words)


def test_estimates_equal_litellm_at_list_prices(demo_at_list_prices: Played) -> None:
    receipts = demo_at_list_prices.query(
        "SELECT provider, operation, response_model, raw_usage, estimated_cost_usd FROM receipts"
    )
    asked = [
        {"provider": provider, "operation": operation, "model": model, "usage": json.loads(usage)}
        for provider, operation, model, usage, _ in receipts
    ]

    theirs = _litellm_costs(asked)

    ours = [estimate for *_, estimate in receipts]
    assert len(ours) == len(demo_at_list_prices.ledger())
    assert [abs(a - b) < Decimal("1e-12") for a, b in zip(ours, theirs, strict=True)] == [
        True for _ in ours
    ], list(zip(receipts, theirs, strict=True))


def _litellm_costs(calls: list[dict[str, object]]) -> list[Decimal]:
    """USD by LiteLLM's own functions, asked in a process of its own: importing it takes seconds."""
    done = subprocess.run(
        [str(PYTHON), str(PARITY)],
        input=json.dumps(calls),
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "ANCHOR_DISABLED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [Decimal(repr(cost)) for cost in json.loads(done.stdout)]
