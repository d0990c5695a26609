"""`anchor audit`: what a charge rests on, found by id or log line; how often something lacks."""

from __future__ import annotations

import io
import json
from datetime import datetime
from decimal import Decimal

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.job.audit import Evidence, audit_evidence
from anchor_autopatch.job.audit.finding import tokens
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, left_behind, receipt
from tests.job.test_policy import NOW

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
RECEIPT_ID = "0199f3c2-7d1e-7c55-9a31-2b7a9f0c1d2e"
PROVEN = Evidence(
    receipt_id=RECEIPT_ID,
    occurred_at=datetime.fromisoformat("2026-09-21T14:13:20"),
    team="search",
    service="chatbot",
    environment="production",
    request_id="req-77",
    trace_id=TRACE,
    sources='{"team": "code", "service": "environment", "request_id": "header"}',
    policy_status="ok",
    policy_problems=None,
    provider="openai",
    provider_host="api.openai.com",
    provider_account="acme",
    api_key_id="a3f1c2d4e5b60718",
    outcome="ok",
    billable=True,
    parent_receipt_id=None,
    usage_source="provider",
    usage_mismatch=False,
    total_tokens=120,
    response_id="chatcmpl-9",
    provider_request_id=None,
    model="gpt-4o",
    price_status="priced",
    unpriced_meters=None,
    rate_card_id="card",
    estimated_cost_usd=Decimal("0.0005"),
    anchored_cost=Decimal("0.0006"),
    anchored_currency="USD",
    invoice_id="INV-1",
    match_level="model+meter",
)


def wrong(**changes):
    """What is not proven enough once the evidence is changed: field -> (verdict, mend)."""
    audit = audit_evidence(PROVEN._replace(**changes))
    return {check.field: (check.verdict, check.mend) for check in audit.checks if check.mend}


class TestEvidence:
    def test_complete_evidence_is_defensible(self):
        audit = audit_evidence(PROVEN)

        assert (audit.verdict, wrong()) == ("defensible", {})
        assert [check.source for check in audit.checks][:2] == ["code", "environment"]

    @pytest.mark.parametrize(
        ("changes", "field", "mend"),
        [
            ({"team": None}, "team", "ANCHOR_TEAM"),
            ({"service": None}, "service", "attribute(service=...)"),
            ({"team": "__other__"}, "team", "1,000 values"),
            ({"provider": "unmapped"}, "provider", '"api.openai.com" = "PROVIDER"'),
            ({"policy_status": "held", "policy_problems": "x"}, "policy", "policy release"),
            ({"usage_source": "absent", "outcome": "error"}, "usage", "'error'"),
            ({"price_status": "unpriced"}, "rate", "anchor prices set gpt-4o --provider openai"),
            ({"price_status": None}, "rate", "anchor prices set"),
            ({"price_status": "unpriced", "usage_source": "absent"}, "rate", "no usage to price"),
        ],
    )
    def test_what_is_missing_makes_a_charge_indefensible(self, changes, field, mend):
        verdict, told = wrong(**changes)[field]

        assert (verdict, mend in told) == ("missing", True)
        assert audit_evidence(PROVEN._replace(**changes)).verdict == "not defensible"

    @pytest.mark.parametrize(
        ("changes", "field", "mend"),
        [
            ({"environment": None}, "environment", "ANCHOR_ENVIRONMENT"),
            ({"request_id": None, "trace_id": None}, "request_id", "supported framework"),
            ({"policy_status": "reported", "policy_problems": "x"}, "policy", "release"),
            ({"usage_source": "partial"}, "usage", "to their end"),
            ({"usage_source": "estimated"}, "usage", "to their end"),
            ({"usage_mismatch": True}, "sum", "usage page"),
            ({"response_id": None}, "provider's id", "keep the request id"),
            ({"billable": False, "parent_receipt_id": "p"}, "billable", "audit p"),
            ({"unpriced_meters": "pages"}, "rate", "no rate for pages"),
            ({"invoice_id": None}, "invoice", "invoices import"),
            ({"match_level": "provider"}, "invoice", "detailed lines"),
        ],
    )
    def test_what_is_weak_is_a_reservation(self, changes, field, mend):
        verdict, told = wrong(**changes)[field]

        assert (verdict, mend in told) == ("weak", True)
        audit = audit_evidence(PROVEN._replace(**changes))
        assert audit.verdict == "defensible, with reservations"

    @pytest.mark.parametrize("changes", [{"request_id": None}, {"policy_status": "released"}])
    def test_what_is_proven_otherwise_needs_no_mend(self, changes):
        assert wrong(**changes) == {}


LINES = {
    "nginx": f'10.0.0.7 - [21/Sep/2026:14:13:20 +0000] "POST /v1/chat HTTP/1.1" 200 "{RECEIPT_ID}"',
    "traceparent": f"ts=1 traceparent=00-{TRACE}-00f067aa0ba902b7-01 status=200",
    "litellm": json.dumps({"id": "chatcmpl-2", "call_type": "acompletion", "spend": 0.1}),
    "kong": '{"request":{"headers":{"x-owner-request-id":"req-77"}},"response":{"status":200}}',
    "plain id": RECEIPT_ID,
}  # fmt: skip


class TestCommand:
    @pytest.fixture
    def home(self, synced_home, monkeypatch):
        monkeypatch.setenv("ANCHOR_HOME", str(synced_home))
        monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
        month = 31 * 86_400 * 1_000_000
        left_behind(
            synced_home,
            receipt(1, receipt_id=RECEIPT_ID, trace_id=TRACE, request_id="req-77"),
            receipt(2),
            receipt(3, team=None, request_id="req-78"),
            receipt(4, occurred_at_us=START_US - month),
            receipt(5, occurred_at_us=START_US - month, team=None),
        )
        with open_warehouse(synced_home) as con:
            add_total(con, TypedTotal("openai", "2026-09", "3.00", "USD"), NOW)
        main(["reconcile"])
        return synced_home

    @pytest.fixture
    def run(self, home, capsys):
        def run(*words):
            capsys.readouterr()
            code = main(["audit", *words])
            printed = capsys.readouterr()
            return code, printed.out + printed.err

        return run

    @pytest.mark.parametrize(
        ("line", "kind", "found"),
        [
            ("nginx", "receipt id", RECEIPT_ID),
            ("traceparent", "trace id", RECEIPT_ID),
            ("litellm", "the provider's id", "receipt-000002"),
            ("kong", "request id", RECEIPT_ID),
            ("plain id", "receipt id", RECEIPT_ID),
        ],
    )
    def test_line_of_a_log_finds_its_receipt(self, run, line, kind, found):
        code, out = run(LINES[line], "--json")

        (result,) = json.loads(out)
        assert (code, result["found_by"]) == (0, kind)
        assert [each["receipt_id"] for each in result["receipts"]] == [found]

    def test_verdict_and_mend_are_shown_field_by_field(self, run):
        code, out = run("req-78")

        assert code == 1
        assert "not defensible" in out
        assert "ANCHOR_TEAM" in out

    def test_lines_of_stdin_are_audited_one_by_one(self, run, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{LINES['nginx']}\n\nnothing here\n"))

        code, out = run("-", "--json")

        assert [each["found_by"] for each in json.loads(out)] == ["receipt id", None]
        assert code == 1

    def test_unknown_id_says_where_to_look(self, run):
        code, out = run("nothing-like-it")

        assert code == 1
        assert "[outbound] gateways" in out

    @pytest.mark.parametrize("text", ["\ud800\udcff", "'; DROP TABLE receipts; --", "%s{0}", "-"])
    def test_hostile_text_finds_nothing_and_breaks_nothing(self, run, text, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("\x00\x1b[2J"))

        assert run(text, "--json")[0] == 1

    def test_all_gives_rates_and_trend_by_service(self, run):
        code, out = run("--all", "--period", "2026-09", "--json")

        (service,) = json.loads(out)["services"]
        assert (code, service["service"], service["receipts"]) == (1, "chatbot", 3)
        assert (service["missing"]["team"], service["missing"]["trace_id"]) == (1, 2)
        assert (service["missing_permille"]["team"], service["change_permille"]["team"]) == (
            333,
            -167,
        )

    def test_all_is_a_table_for_people(self, run):
        assert "33.3 (-16.7)" in run("--all")[1]

    def test_first_period_has_no_trend(self, run):
        assert (
            json.loads(run("--all", "--period", "2026-08", "--json")[1])["services"][0][
                "change_permille"
            ]["team"]
            is None
        )

    @pytest.mark.parametrize("words", [(), ("id", "--all"), ("--all", "--period", "1999-01")])
    def test_mistakes_are_told_in_one_line(self, run, words):
        code, out = run(*words)

        assert (code, out.count("\n")) == (2, 1)


def test_huge_and_hostile_lines_are_searched_in_bounds():
    found = tokens("\x00\ud800'; DROP TABLE receipts; --" + "a" * 1_000_000)

    assert len(found) < 50
    assert max(map(len, found)) <= 65_536
