"""A home with published bills of every kind that a FOCUS export has rows for."""

from __future__ import annotations

from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import HEADER, NOW, OCTOBER, add_call, allocate, bill, insert, usd


def make_home(home):
    """Bills in two currencies, one of no calls, one with tax; a month without one; a correction."""
    with open_warehouse(home) as con:
        add_call(con, "r1", "search", "84", team="core", environment="prod")
        add_call(con, "r2", "chat", "16")
        add_call(con, "r3", "chat", "5", provider="openai", model="gpt-5")
        november = OCTOBER.replace(month=11)
        add_call(con, "r4", "chat", "7", provider="openai", model="gpt-5", occurred_at=november)
        bill(con, home, "G-1,gemini,2026-10,100.00,USD")
        bill(con, home, "O-1,openai,2026-10,5.01,EUR", name="openai.csv")
        bill(con, home, "X-1,xai,2026-10,1.01,USD", name="xai.csv")
        add_call(con, "r5", "search", "1", provider="anthropic", model="claude-opus-5-5")
        add_call(con, "r6", "chat", "2", provider="anthropic", model="claude-opus-5-5")
        bill(
            con,
            home,
            "A-1,anthropic,2026-10,10.00,USD,usage",
            "A-1,anthropic,2026-10,1.00,USD,tax",
            header=f"{HEADER},charge_category",
            name="anthropic.csv",
        )
        allocate(con)
        _correct(con)
        publish(con, home, NOW)


def _correct(con):
    """A booking of a frozen month, taken back from one application and booked to another."""
    for number, (kind, service, amount) in enumerate(
        [("reversal", "search", "-4.00"), ("correction", "chat", "4.00")], 1
    ):
        insert(
            con,
            "ledger_entry",
            entry_no=number,
            txn_id="t",
            kind=kind,
            period="2026-10",
            posted_period="2026-11",
            mode="chargeback",
            account=f"Expense:App:{service}",
            provider="gemini",
            provider_account="",
            invoice_id="G-1",
            service=service,
            amount=usd(amount),
            currency="USD",
            actor="a",
            reason="r",
            created_at=NOW,
            prev_hash="0",
            hash="1",
        )
