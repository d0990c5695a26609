"""The ledger as a provider would invoice it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.provider_sim.client import SimulatorError
from examples.provider_sim.invoice_lines import InvoiceError, Line, invoice_lines
from examples.provider_sim.invoice_lines import _scaled as scaled
from examples.provider_sim.ledger import Charge
from tests.simulator.wire import CHAT, GENERATE, MESSAGES, get, post, saying

IMAGES = "/v1beta/models/gemini-2.5-flash-image:generateContent"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestCsv:
    def test_total_is_met_to_the_cent(self, simulator):
        for path in (GENERATE, IMAGES, GENERATE):
            post(simulator.all, path, {"contents": [{"parts": [{"text": "hello there"}]}]})

        lines = rows(simulator.invoice("csv", provider="gemini", total="100.00"))

        assert sum(Decimal(line["amount"]) for line in lines) == Decimal("100.00")
        assert {line["currency"] for line in lines} == {"USD"}

    def test_without_a_total_amounts_are_exact(self, simulator):
        post(simulator.all, CHAT, saying("hi"))

        lines = rows(simulator.invoice("csv", provider="openai"))

        billed = Decimal(simulator.ledger()[0]["amount_usd"])
        assert sum(Decimal(line["amount"]) for line in lines) == billed

    def test_lines_are_numbered_and_described(self, simulator):
        simulator.clock("2026-10-05T12:00:00Z")
        post(simulator.all, CHAT, saying("hi"), openai_project="proj_a")

        first = rows(simulator.invoice("csv", provider="openai"))[0]

        assert first["line_id"] == "SIM-openai-2026-10-0001"
        assert first["description"] == "gpt-4o-2024-08-06 input"
        assert (first["period"], first["project"]) == ("2026-10", "proj_a")
        assert (first["quantity_unit"], first["charge_category"]) == ("tokens", "usage")

    def test_period_leaves_other_months_out(self, simulator):
        for now in ("2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z"):
            simulator.clock(now)
            post(simulator.all, CHAT, saying("hi"))

        lines = rows(simulator.invoice("csv", provider="openai", period="2026-10"))

        assert sum(int(line["quantity"]) for line in lines if line["meter"] == "input") == 1

    @pytest.mark.parametrize(
        ("query", "complaint"),
        [
            ({}, "needs provider="),
            ({"provider": "gemini"}, "Nothing is billed for provider 'gemini'"),
            ({"provider": "openai", "total": "ten"}, "Total 'ten' is no decimal amount"),
            ({"provider": "openai", "total": "1.001"}, "whole cents"),
            ({"provider": "openai", "total": "-1"}, "positive"),
        ],
    )
    def test_invoice_that_cannot_be_made_says_why(self, simulator, query, complaint):
        post(simulator.all, CHAT, saying("hi"))

        with pytest.raises(SimulatorError, match=complaint):
            simulator.invoice("csv", **query)


class TestOpenAICosts:
    def test_buckets_are_days_with_float_amounts(self, simulator):
        simulator.clock("2026-10-12T10:00:00Z")
        post(simulator.all, CHAT, saying("hi"), openai_project="proj_a")

        page = json.loads(simulator.invoice("openai_costs"))

        (bucket,) = page["data"]
        assert (bucket["start_time"], bucket["end_time"]) == (1791763200, 1791849600)
        first = bucket["results"][0]
        assert first["line_item"] == "gpt-4o-2024-08-06, input"
        assert isinstance(first["amount"]["value"], float)
        assert (first["project_id"], first["quantity_unit"]) == ("proj_a", "tokens")

    def test_own_path_pages_and_groups_like_the_provider(self, simulator):
        for day in range(1, 11):
            simulator.clock(f"2026-10-{day:02d}T10:00:00Z")
            post(simulator.all, CHAT, saying("hi"))

        first = get(simulator.openai, "/v1/organization/costs?start_time=1790812800").json
        rest = get(
            simulator.openai,
            f"/v1/organization/costs?start_time=1790812800&page={first['next_page']}",
        ).json

        assert (len(first["data"]), first["has_more"]) == (7, True)
        assert (len(rest["data"]), rest["has_more"]) == (3, False)
        assert {r["line_item"] for b in first["data"] for r in b["results"]} == {None}

    def test_grouped_and_ungrouped_sums_agree(self, simulator):
        for project in ("a", "b"):
            post(simulator.all, CHAT, saying("hi"), openai_project=project)
        path = "/v1/organization/costs?group_by[]=project_id&group_by[]=line_item"

        grouped = get(simulator.openai, path).json["data"][0]["results"]
        whole = get(simulator.openai, "/v1/organization/costs").json["data"][0]["results"]

        assert len(grouped) == 4
        total = sum(result["amount"]["value"] for result in grouped)
        assert total == pytest.approx(whole[0]["amount"]["value"])


class TestAnthropicReport:
    def test_amounts_are_text_in_cents(self, simulator):
        usage = '{"input_tokens":1000000,"output_tokens":0}'
        post(
            simulator.all,
            MESSAGES,
            {**saying(f"[[sim usage={usage}]]", max_tokens=5), "model": "claude-haiku-4-5"},
        )

        (bucket,) = json.loads(simulator.invoice("anthropic_cost_report"))["data"]

        (result,) = bucket["results"]
        assert (result["amount"], result["currency"]) == ("100", "USD")
        assert result["token_type"] == "uncached_input_tokens"
        assert result["model"] == "claude-haiku-4-5-20251001"


def line(amount: Decimal) -> Line:
    return Line(date(2026, 10, 1), "openai", "m", "input", None, None, None, 1, amount)


amounts = st.lists(st.decimals("0.000001", "1000", places=6), min_size=1, max_size=30)


@given(amounts, st.decimals("0", "100000", places=2))
def test_shares_sum_to_any_total(parts, total):
    lines = scaled([line(part) for part in parts], str(total))

    assert sum(each.amount for each in lines) == total
    assert all(each.amount >= 0 for each in lines)


@given(amounts)
def test_no_share_is_a_cent_off(parts):
    whole = sum(parts)

    lines = scaled([line(part) for part in parts], "100.00")

    for each, part in zip(lines, parts, strict=True):
        assert abs(each.amount - part / whole * 100) < Decimal("0.01")


def test_free_ledger_cannot_carry_a_total():
    charges: list[Charge] = []

    with pytest.raises(InvoiceError, match="cannot be spread"):
        invoice_lines(charges, "openai", {"total": "1.00"})


def test_command_writes_the_invoice(simulator, tmp_path):
    post(simulator.all, CHAT, saying("hi"))
    out = tmp_path / "openai.csv"
    command = [sys.executable, "-m", "examples.provider_sim.invoice", "--url", simulator.openai]

    done = subprocess.run(
        [*command, "--provider", "openai", "--total", "5.00", "--out", str(out)], check=False
    )

    assert done.returncode == 0
    assert sum(Decimal(row["amount"]) for row in rows(out.read_text())) == Decimal("5.00")


def test_command_says_what_is_wrong(simulator):
    command = [sys.executable, "-m", "examples.provider_sim.invoice", "--url", simulator.all]

    done = subprocess.run(
        [*command, "--provider", "openai"], check=False, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "Nothing is billed for provider 'openai'" in done.stderr
