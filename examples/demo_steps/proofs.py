"""Checks what the demo shows, against the simulator's ledger and to the cent."""

from __future__ import annotations

import sqlite3
from collections import Counter
from decimal import Decimal

from examples.demo_steps import screen
from examples.demo_steps.bills import GEMINI_TOTAL
from examples.demo_steps.simulated import ATTEMPTS
from examples.demo_steps.stage import DemoError, Stage

GEMINI_SPLIT = {
    "marketing/image-generator": Decimal("84.00"),
    "support/chatbot": Decimal("16.00"),
}
_SHARES = """
    SELECT
        provider,
        coalesce(team, 'no team') || '/' || service AS owner,
        sum(anchored_cost) AS anchored_cost
    FROM app_costs
    GROUP BY ALL
    ORDER BY provider, anchored_cost DESC, owner
"""
_TOTALS = "SELECT provider, invoice_total, currency FROM reconciliation ORDER BY provider"
_RECEIPTS = "SELECT provider, response_id FROM receipts WHERE billable"
_EVENTS = """
    SELECT class, request_model, http_status, attempts, retried, message, team, service
    FROM exception_events
    ORDER BY attempts
"""
_FAILED = ("provider_overloaded", "claude-opus-4-5", 529)


def expect(claim: str, *, holds: bool) -> None:
    """Prints a claim that holds.

    Raises:
        DemoError: it does not.
    """
    if not holds:
        raise DemoError(f"This does not hold: {claim}")
    screen.line(f"ok  {claim}")


def compare_counts(stage: Stage, written: Counter[str]) -> None:
    """Shows that ledger, outboxes and warehouse hold the same calls, none doubled."""
    ledger = stage.simulator.ledger()
    _, receipts = stage.query(_RECEIPTS)
    billed = Counter(row["provider"] for row in ledger)
    shipped = Counter(provider for provider, _ in receipts)
    rows = [(name, billed[name], written[name], shipped[name]) for name in sorted(billed)]
    screen.table(("calls to", "billed by the simulator", "receipts written", "in the report"), rows)
    expect("every billed call left one receipt, and nothing else did", holds=billed == written)
    expect("every receipt reached the report once", holds=written == shipped)
    answers = Counter(row["response_id"] for row in ledger)
    expect(
        "the answers are the same ones, by the ids that the providers gave them",
        holds=answers == Counter(response_id for _, response_id in receipts),
    )


def receipts_written(stage: Stage) -> Counter[str]:
    """Receipts by provider in the outboxes of all processes, before anything is shipped."""
    counted: Counter[str] = Counter()
    for path in (stage.state / "outbox").glob("*.db"):
        outbox = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        rows = outbox.execute("SELECT provider, count(*) FROM receipt GROUP BY provider")
        counted.update(dict(rows.fetchall()))
        outbox.close()
    return counted


def compare_sums(stage: Stage) -> None:
    """Shows that the shares of each bill sum to it, to the cent, and how Gemini's is split."""
    shares: dict[str, dict[str, Decimal]] = {}
    for provider, owner, amount in stage.query(_SHARES)[1]:
        shares.setdefault(provider, {})[owner] = amount
    totals = stage.query(_TOTALS)[1]
    expect("each provider has sent one invoice", holds=[row[0] for row in totals] == [*shares])
    for provider, total, currency in totals:
        parts = " + ".join(f"{amount:.2f} {owner}" for owner, amount in shares[provider].items())
        expect(
            f"{provider}: {parts} = {total:.2f} {currency} = invoice",
            holds=sum(shares[provider].values()) == total,
        )
    expect(
        f"Gemini's {GEMINI_TOTAL} is 84.00 for pictures and 16.00 for the chatbot",
        holds=shares["gemini"] == GEMINI_SPLIT,
    )


def show_failure(stage: Stage) -> None:
    """Shows what the application said of its failure, and the exception events that tell of it."""
    log = (stage.state / "logs" / "summariser-legal.log").read_text(encoding="utf-8")
    screen.line(f"summariser said:  {log.splitlines()[0]}")
    columns, events = stage.query(_EVENTS)
    screen.table(columns, events)
    tries = [event[: len(_FAILED) + 2] for event in events]
    expect(
        "every try of the failed call is one exception event, and only the last one was its end",
        holds=tries == [(*_FAILED, number, number < ATTEMPTS) for number in range(1, ATTEMPTS + 1)],
    )
