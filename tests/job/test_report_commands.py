"""`anchor reconcile` and `anchor report` as typed: what they print and how they exit."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.cli import main
from tests.job.outboxes import left_behind, receipt


@pytest.fixture(autouse=True)
def own_home(synced_home, monkeypatch):
    monkeypatch.setenv("ANCHOR_HOME", str(synced_home))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    monkeypatch.delenv("ANCHOR_STORE", raising=False)


def run(capsys, *words):
    code = main(words)
    found = capsys.readouterr()
    return code, found.out, found.err


def test_reconcile_with_findings_exits_one(tmp_path, capsys):
    left_behind(tmp_path, receipt(1, provider="unmapped", provider_host="10.0.0.5:80"))

    code, out, _ = run(capsys, "reconcile")

    assert code == 1
    assert "! 1 call went to '10.0.0.5:80'" in out


def test_reconcile_without_receipts_says_so_in_words(capsys):
    code, out, _ = run(capsys, "reconcile")

    assert code == 0
    assert "nothing was captured; anchor doctor says why" in out


def test_report_proves_the_sum(tmp_path, capsys):
    left_behind(tmp_path, receipt(1), receipt(2, service="images"))
    invoice = ("--provider", "openai", "--period", "2026-09", "--total", "0.03")
    run(capsys, "invoices", "add", *invoice, "--currency", "USD")
    run(capsys, "reconcile")

    code, out, _ = run(capsys, "report")

    assert code == 0
    assert "sum = invoice: 0.03 = 0.03 USD" in out
    assert "anchored" in out


def test_report_as_json_keeps_money_exact(tmp_path, capsys):
    left_behind(tmp_path, receipt(1))
    run(capsys, "reconcile")

    _, out, _ = run(capsys, "report", "--json")

    share = json.loads(out)["bills"][0]["shares"][0]
    assert (share["calls"], share["anchored_cost"]) == (1, None)
    assert isinstance(share["estimated_cost_usd"], str)


def test_report_before_the_first_run_names_the_mend(capsys):
    code, _, err = run(capsys, "report")

    assert code == 2
    assert "run: anchor reconcile" in err
