"""What one process submits and others read is billed once, whichever outbox arrives first."""

from __future__ import annotations

import duckdb
import pytest

# Processes that import whole SDKs, and the job, one after the other: a busy machine takes minutes.
pytestmark = pytest.mark.slow
ORDERS = (("search", "polling", "audit"), ("audit", "polling", "search"))
"""Of arrival: who submits first, and who submits last."""


def billed(report):
    """Team, parent and calls of what is billed, its tokens and its price."""
    with duckdb.connect(str(report.report_path), read_only=True) as con:
        return con.execute(
            "SELECT team, parent_receipt_id IS NOT NULL, count(*),"
            " sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, sum(estimated_cost_usd)"
            " FROM receipts WHERE billable GROUP BY ALL"
        ).fetchall()


def tokens(usages, *names):
    return sum(usage.get(name) or 0 for usage in usages for name in names)


@pytest.mark.parametrize("kind", ["response", "batch", "messages"])
def test_object_is_billed_once_for_who_submitted_it(fleet, kind):
    number = fleet.act("search", f"submit_{kind}")
    fleet.act("polling", f"read_{kind}", number)
    fleet.act("audit", f"read_{kind}", number)
    usages = [row["usage"] for row in fleet.simulator.ledger()]

    reports = [fleet.shipped(order) for order in ORDERS]

    first, last = map(billed, reports)
    assert first == last
    ((team, has_parent, calls, read, made, cost),) = first
    assert (team, has_parent, calls) == ("search", True, len(usages))
    assert read == tokens(usages, "input_tokens", "prompt_tokens")
    assert made == tokens(usages, "output_tokens", "completion_tokens")
    assert cost > 0
    assert not any("submitted" in finding for finding in reports[0].findings)


def test_call_outranks_whoever_reads_it_again(fleet):
    number = fleet.act("search", "call_response")
    fleet.act("audit", "read_response", number)

    for order in (("search", "audit"), ("audit", "search")):
        ((team, has_parent, calls, *_),) = billed(fleet.shipped(order))
        assert (team, has_parent, calls) == ("search", False, 1)


def test_what_nobody_reads_is_reported(fleet):
    number = fleet.act("search", "submit_batch")

    report = fleet.shipped(["search"])

    with duckdb.connect(str(report.report_path), read_only=True) as con:
        rows = con.execute("SELECT team, response_id FROM unsettled_submissions").fetchall()
    assert rows == [("search", number)]
    assert any(
        text.startswith("1 of openai 'batch' submitted, the first on") for text in report.findings
    )
