"""`anchor verify` names the row after any edit to the ledger, a statement or a frozen period."""

from __future__ import annotations

import shutil

import pytest

from anchor_autopatch.job.close.sealing import seal_path
from anchor_autopatch.job.verify.closing import check_closed, check_ledger
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import add_call, allocate


@pytest.fixture
def home(closed_home, tmp_path):
    """A copy of it, to be tampered with."""
    return shutil.copytree(closed_home, tmp_path / "home")


def faults(home, *statements):
    with open_warehouse(home) as con:
        for statement in statements:
            con.execute(statement)
        return [*check_ledger(con).faults, *check_closed(con, home).faults]


def test_an_untouched_month_holds(home):
    assert faults(home) == []


EDITS = {
    "amount of an entry": (
        "UPDATE ledger_entry SET amount = 84.01 WHERE entry_no = 1",
        "ledger_entry 1 is not as it was written",
    ),
    "one letter of an entry": (
        "UPDATE ledger_entry SET service = 'imagegem' WHERE entry_no = 1",
        "ledger_entry 1 is not as it was written",
    ),
    "hash of an entry": (
        "UPDATE ledger_entry SET hash = reverse(hash) WHERE entry_no = 2",
        "ledger_entry 2 is not as it was written",
    ),
    "an entry taken out": (
        "DELETE FROM ledger_entry WHERE entry_no = 2",
        "ledger_entry 2 is missing",
    ),
    "the last entry cut off": (
        "DELETE FROM ledger_entry WHERE entry_no = 3",
        "ledger_entry ends with 2, it was noted to end with 3",
    ),
    "who signed": (
        "UPDATE close_event SET actor = 'eve' WHERE action = 'sign_off'",
        "close_event 2 is not as it was written",
    ),
    "state of the period": (
        "UPDATE close_event SET state = 'open' WHERE action = 'freeze'",
        "close_event 4 is not as it was written",
    ),
    "one byte of a statement": (
        "UPDATE statement SET body = replace(body, '84.00', '84.10')"
        " WHERE team = 'media' AND format = 'csv'",
        "statement 2026-10 of media (csv) is not as it was signed",
    ),
    "a statement and its digest": (
        "UPDATE statement SET body = '', sha256 = sha256('') WHERE team = 'media'",
        "the statements of 2026-10 are not those that were signed",
    ),
    "share of an application": (
        "UPDATE cost_split SET anchored_cost = 84.01 WHERE service = 'imagegen' AND split = 'app'",
        'period 2026-10, cost_split: this row was sealed and is not there: {"split":"app"',
    ),
    "share of a receipt": (
        "UPDATE receipt_anchor SET anchored_cost = anchored_cost + 0.000000000000000001"
        " WHERE receipt_id = 'r1'",
        'period 2026-10, receipt_anchor: this row was sealed and is not there: {"receipt_id":"r1"',
    ),
    "price of a receipt": (
        "UPDATE receipt_price SET estimated_cost_usd = 0.85 WHERE receipt_id = 'r1'",
        'period 2026-10, receipt_price: this row was sealed and is not there: {"receipt_id":"r1"',
    ),
    "line of an invoice": (
        "UPDATE invoice_line SET amount_text = '100.0' WHERE amount_text = '100.00'",
        "period 2026-10, invoice_line: this row was sealed and is not there",
    ),
    "a row put in": (
        "INSERT INTO cost_split BY NAME SELECT 'app' AS split, '2026-10' AS period, 'gemini' AS"
        " provider, '' AS account, 'x' AS service, 0 AS calls, 'USD' AS currency,"
        " 'frozen' AS status",
        "period 2026-10, cost_split: this row was not sealed",
    ),
    "status set back": (
        "UPDATE reconciliation SET status = 'open'",
        "period 2026-10, reconciliation: this row was sealed and is not there",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_any_edit_is_named_with_its_row(home, edit):
    statement, named = EDITS[edit]

    assert any(fault.startswith(named) for fault in faults(home, statement))


@pytest.mark.parametrize("offset", [5000, -5000])
def test_an_edited_seal_is_named(home, offset):
    path = seal_path(home, "2026-10", 1)
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)

    assert "is not the file that period 2026-10 was sealed in" in faults(home)[0]


def test_a_lost_seal_is_named(home):
    seal_path(home, "2026-10", 1).unlink()

    assert "which cannot be read" in faults(home)[0]


def test_engine_refuses_to_write_to_a_sealed_month(home):
    with open_warehouse(home) as con:
        con.execute(f"ATTACH '{seal_path(home, '2026-10', 1)}' AS sealed (READ_ONLY)")

        with pytest.raises(Exception, match="read-only"):
            con.execute("UPDATE sealed.cost_split SET anchored_cost = 0")
    assert seal_path(home, "2026-10", 1).stat().st_mode & 0o777 == 0o400


def test_status_set_back_does_not_let_a_frozen_month_move(home):
    with open_warehouse(home) as con:
        con.execute("UPDATE reconciliation SET status = 'open'")
        add_call(con, "r9", "late", "5")
        before = con.execute("SELECT * FROM cost_split ORDER BY ALL").fetchall()

        allocate(con)

        assert con.execute("SELECT * FROM cost_split ORDER BY ALL").fetchall() == before
