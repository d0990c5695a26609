"""The policy in the job: what is reported, what is held, what a correction releases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.policy import read_policy
from anchor_autopatch.job.corrections import Decision, Selection, correct, past_decisions
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import left_behind, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
LATER = datetime(2026, 9, 30, 13, tzinfo=UTC)
HOLDING = {"policy": {"mode": "quarantine", "required": ["team"]}}


@pytest.fixture
def home(synced_home):
    return synced_home


@pytest.fixture
def billed(home):
    """Ten calls of the chatbot and ten of nobody in particular, and a bill of 20 dollars."""
    left_behind(
        home,
        *(receipt(number) for number in range(10)),
        *(receipt(number, team=None, service="bot") for number in range(100, 110)),
    )
    with open_warehouse(home) as con:
        add_total(con, TypedTotal("openai", "2026-09", "20.00", "USD"), NOW)
    return home


def query(home, sql):
    with duckdb.connect(str(home / "report.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def costs(home):
    return query(home, "SELECT team, service, anchored_cost FROM app_costs ORDER BY ALL")


def decide(home, selection, config=HOLDING, *, release=False, by="alice", **fields):
    with open_warehouse(home) as con:
        decision = Decision(fields, release, by, "asked the team")
        return correct(con, selection, decision, read_policy(config)[0], LATER)


def trail(home):
    with open_warehouse(home) as con:
        return past_decisions(con)


class TestModes:
    def test_report_charges_and_tells(self, billed):
        report = reconcile([billed], NOW, {"policy": {"required": ["team"]}})

        assert costs(billed) == [("search", "chatbot", 10), (None, "bot", 10)]
        assert any("10 receipts not as the policy asks in 'team'" in f for f in report.findings)

    def test_quarantine_holds_the_money_in_sight(self, billed):
        report = reconcile([billed], NOW, HOLDING)

        assert costs(billed) == [("search", "chatbot", 10), (None, "__quarantined", 10)]
        assert (report.judged.found_count, report.judged.held_count) == (10, 10)
        assert any(
            "held out of chargeback" in f and "team is missing" in f for f in report.findings
        )

    def test_reject_holds_what_was_sent_all_the_same(self, billed):
        reconcile([billed], NOW, {"policy": {"mode": "reject", "required": ["team"]}})

        assert costs(billed)[-1] == (None, "__quarantined", 10)

    def test_environment_chooses_the_mode(self, billed):
        policy = {"required": ["team"], "modes": {"production": "quarantine"}}

        reconcile([billed], NOW, {"policy": policy})

        assert query(billed, "SELECT DISTINCT mode, held FROM policy_findings") == [
            ("quarantine", True)
        ]

    @pytest.mark.parametrize(("until", "held"), [(date(2026, 9, 22), 0), (date(2026, 9, 21), 10)])
    def test_override_holds_until_the_call_is_made_after_it(self, billed, until, held):
        override = {"mode": "report", "until": until, "service": "bot", "reason": "late"}
        policy = {**HOLDING["policy"], "override": [override]}

        report = reconcile([billed], NOW, {"policy": policy})

        assert report.judged == (10, held)

    def test_override_of_another_service_does_not_count(self, billed):
        override = {
            "mode": "report", "until": date(2027, 1, 1), "service": "shop", "reason": "late"
        }  # fmt: skip
        policy = {**HOLDING["policy"], "override": [override]}

        assert reconcile([billed], NOW, {"policy": policy}).judged.held_count == 10

    def test_value_outside_its_vocabulary_is_held(self, billed):
        config = {"policy": {"mode": "quarantine"}, "vocabulary": {"services": ["bot"]}}

        reconcile([billed], NOW, config)

        assert costs(billed) == [(None, "__quarantined", 10), (None, "bot", 10)]
        assert query(billed, "SELECT DISTINCT field, value FROM policy_findings") == [
            ("service", "chatbot")
        ]

    @pytest.mark.parametrize("field", ["user_id", "request_id", "region", "cost_center", "feature"])
    def test_every_field_can_be_required(self, billed, field):
        report = reconcile([billed], NOW, {"policy": {"required": [field]}})

        assert report.judged.found_count == 20

    def test_no_policy_finds_nothing(self, billed):
        report = reconcile([billed], NOW, {})

        assert report.judged == (0, 0)
        assert query(billed, "SELECT DISTINCT policy_status FROM receipts") == [("ok",)]

    def test_every_split_still_sums_to_the_bill(self, billed):
        report = reconcile([billed], NOW, HOLDING)

        assert [check.holds for check in report.invoices] == [True]
        for relation in ("app_costs", "feature_costs", "user_costs", "request_costs"):
            assert query(billed, f"SELECT sum(anchored_cost) FROM {relation}") == [(Decimal(20),)]

    def test_mended_policy_counts_at_once_and_both_are_remembered(self, billed):
        reconcile([billed], NOW, HOLDING)
        reconcile([billed], LATER, {"policy": {"required": ["service"]}})

        assert costs(billed)[-1] == (None, "bot", 10)
        with open_warehouse(billed) as con:
            known = con.execute("SELECT first_judged_at FROM policy_version ORDER BY 1").fetchall()
        assert [each.hour for (each,) in known] == [12, 13]

    def test_mistakes_of_the_file_are_told(self, billed):
        report = reconcile([billed], NOW, {"policy": {"mode": "rejcet"}, "rule": [{}]})

        assert report.findings[0].startswith("3 mistakes in anchor.toml, the first in policy.mode")


class TestCorrections:
    @pytest.fixture(autouse=True)
    def _held(self, billed):
        reconcile([billed], NOW, HOLDING)

    def test_correction_releases_and_charges(self, billed):
        done = decide(billed, Selection(where={"service": "bot"}), team="support")
        reconcile([billed], LATER, HOLDING)

        assert done.receipt_count == 10
        assert costs(billed) == [("search", "chatbot", 10), ("support", "bot", 10)]
        assert query(
            billed,
            "SELECT DISTINCT team, attribution_source->>'team', attribution_source->>'service',"
            " policy_status FROM receipts WHERE service = 'bot'",
        ) == [("support", "correction", "environment", "ok")]

    def test_release_charges_as_it_is(self, billed):
        decide(billed, Selection(period="2026-09"), release=True)
        reconcile([billed], LATER, HOLDING)

        assert costs(billed)[-1] == (None, "bot", 10)
        assert query(billed, "SELECT DISTINCT policy_status FROM receipts WHERE team IS NULL") == [
            ("released",)
        ]

    def test_named_receipts_are_corrected_alone(self, billed):
        decide(billed, Selection(("receipt-000100", "receipt-000101")), team="support")
        reconcile([billed], LATER, HOLDING)

        assert costs(billed)[1:] == [("support", "bot", 2), (None, "__quarantined", 8)]

    def test_receipt_that_is_not_held_can_be_corrected_by_name(self, billed):
        decide(billed, Selection(("receipt-000001",)), team="support")
        reconcile([billed], LATER, HOLDING)

        assert ("support", "chatbot", 1) in costs(billed)

    def test_trail_says_who_what_and_why(self, billed):
        decide(billed, Selection(), team="support")
        decide(billed, Selection(("receipt-000100",)), by="bob", team="search")

        last, first = trail(billed)
        assert (first.actor, first.reason, first.receipts, first.changes) == (
            "alice",
            "asked the team",
            10,
            "team = support",
        )
        assert (last.actor, last.receipts, last.changes) == ("bob", 1, "team = search")

    def test_later_decision_counts_and_the_earlier_stays(self, billed):
        decide(billed, Selection(), team="support")
        decide(billed, Selection(("receipt-000100",)), team="search")
        reconcile([billed], LATER, HOLDING)

        assert ("support", "bot", 9) in costs(billed)
        entries = query(
            billed,
            "SELECT old_value, new_value FROM corrections WHERE receipt_id = 'receipt-000100'"
            " ORDER BY correction_no",
        )
        assert entries == [(None, "support"), ("support", "search")]

    def test_receipt_itself_is_never_changed(self, billed):
        decide(billed, Selection(), team="support")

        with open_warehouse(billed) as con:
            assert con.execute(
                "SELECT count(*) FROM receipt WHERE team = 'support'"
            ).fetchone() == (0,)

    @pytest.mark.parametrize(
        ("selection", "fields", "said"),
        [
            (Selection(period="2026-08"), {"team": "a"}, "Found none of held receipts"),
            (Selection(("nobody",)), {"team": "a"}, "Found none of those receipts"),
            (Selection(("nobody", "receipt-000001")), {"team": "a"}, "1 of the receipts"),
            (Selection(), {}, "Nothing is decided"),
            (Selection(), {"feature": "x"}, "would still be held (team is missing)"),
            (Selection(), {"tema": "x"}, "Cannot correct 'tema'"),
        ],
    )
    def test_decision_that_cannot_hold_is_refused_whole(self, billed, selection, fields, said):
        with pytest.raises(ConfigError) as refused:
            decide(billed, selection, **fields)

        assert said in str(refused.value)
        assert trail(billed) == []

    def test_value_outside_the_vocabulary_is_refused(self, billed):
        config = {**HOLDING, "vocabulary": {"teams": ["search"]}}

        with pytest.raises(ConfigError, match="'saerch' is no team"):
            decide(billed, Selection(), config, team="saerch")

    @pytest.mark.parametrize("by", ["", "  "])
    def test_decision_of_nobody_is_refused(self, billed, by):
        with pytest.raises(ConfigError, match="who decides"):
            decide(billed, Selection(), by=by, team="support")

    def test_frozen_period_stays_as_it_is(self, billed):
        with open_warehouse(billed) as con:
            con.execute("UPDATE reconciliation SET status = 'frozen'")

        with pytest.raises(ConfigError, match="'2026-09' is frozen"):
            decide(billed, Selection(), team="support")
        reconcile([billed], LATER, {})
        assert costs(billed)[-1] == (None, "__quarantined", 10)


class TestLabels:
    def test_renamed_team_keeps_its_id_and_its_costs(self, billed):
        reconcile([billed], NOW, {"teams": {"search": "Search"}})
        reconcile([billed], LATER, {"teams": {"search": "Search & Discovery"}})

        assert query(
            billed, "SELECT DISTINCT team, team_label FROM app_costs WHERE team IS NOT NULL"
        ) == [("search", "Search & Discovery")]
        assert query(billed, "FROM attribution_labels") == [
            ("team", "search", "Search & Discovery")
        ]

    def test_label_counts_in_frozen_periods_too(self, billed):
        reconcile([billed], NOW, {})
        with open_warehouse(billed) as con:
            con.execute("UPDATE reconciliation SET status = 'frozen'")

        reconcile([billed], LATER, {"teams": {"search": "Discovery"}})

        assert ("Discovery",) in query(billed, "SELECT team_label FROM app_costs")
