"""`anchor reconcile` and `anchor report` as typed: what they print and how they exit."""

from __future__ import annotations

import json

import duckdb
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


def test_report_prints_names_as_they_are(tmp_path, capsys):
    left_behind(tmp_path, receipt(1, provider="gemini", service="[red]:rocket:"))
    invoice = ("--provider", "gemini", "--period", "2026-09", "--total", "1.00")
    run(capsys, "invoices", "add", *invoice, "--currency", "USD")
    run(capsys, "reconcile")

    _, out, _ = run(capsys, "report")

    assert "typed:gemini:2026-09" in out
    assert "[red]:rocket:" in out


def test_report_page_shows_hostile_names_as_text(tmp_path, capsys):
    left_behind(tmp_path, receipt(1, service="<script>alert(1)</script>", team='"&'))
    run(capsys, "reconcile")
    page = tmp_path / "split.html"

    code, out, _ = run(capsys, "report", "--html", str(page))

    text = page.read_text("utf-8")
    assert (code, out) == (0, f"Wrote {page}\n")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&quot;&amp;" in text


def test_report_page_that_cannot_be_written_is_named(capsys):
    run(capsys, "reconcile")

    code, _, err = run(capsys, "report", "--html", "/nowhere/split.html")

    assert (code, err) == (
        2,
        "anchor: Cannot write '/nowhere/split.html': No such file or directory\n",
    )


def test_report_of_another_version_names_the_mend(tmp_path, capsys):
    left_behind(tmp_path, receipt(1))
    run(capsys, "reconcile")
    with duckdb.connect(str(tmp_path / "report.duckdb")) as con:
        con.execute("DROP TABLE budgets")

    code, _, err = run(capsys, "report")

    assert (code, err.count("\n")) == (2, 1)
    assert "was published by another version" in err
    assert "run anchor reconcile" in err
