"""A reconciled month that can be closed, for the tests of the close."""

from __future__ import annotations

from datetime import UTC, datetime

from anchor_autopatch.job.close import freeze, read_rules, review, sign_off
from tests.job.billed import add_call, allocate, bill

LATER = datetime(2026, 11, 22, 6, tzinfo=UTC)
CONFIG = {
    "close": {
        "preparers": ["ana", "paul"],
        "signers": ["bob", "ana"],
        "approvers": ["carol", "paul"],
        "mode": "chargeback",
    }
}
RULES = read_rules(CONFIG)


def month(con, folder):
    """October: 100 USD of gemini for two services of two teams, reconciled."""
    add_call(con, "r1", "imagegen", "0.84", team="media")
    add_call(con, "r2", "chatbot", "0.16", team="support", environment="production")
    bill(con, folder, "G-1,gemini,2026-10,100.00,USD")
    allocate(con)


def frozen(con, folder, rules=RULES):
    """The same, closed."""
    month(con, folder)
    review(con, rules, "2026-10", "ana", LATER)
    sign_off(con, rules, "2026-10", "bob", LATER)
    return freeze(con, folder, rules, "2026-10", "bob", LATER)
