"""`anchor verify` proves a sound chain and names what somebody changed, link by link."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.policy import Policy
from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.corrections import Decision, Selection, correct
from anchor_autopatch.job.invoices import TypedTotal, add_total, import_file
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import Outbox, event, left_behind, living, receipt

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
BILL = """invoice_id,provider,period,amount,currency,model
I-1,anthropic,2026-09,10.00,USD,claude-opus-4-5
I-1,anthropic,2026-09,2.50,USD,
"""


@pytest.fixture(scope="module")
def sound(synced_warehouse, tmp_path_factory):
    """Two outboxes shipped, a bill and a typed total shared out, all published."""
    synced_home = tmp_path_factory.mktemp("sound")
    shutil.copy(synced_warehouse, synced_home / WAREHOUSE_FILE)
    left_behind(synced_home, *(receipt(number) for number in range(1, 8)), event(8))
    left_behind(synced_home, receipt(11, user_id="nul \x00 \N{SNOWMAN}"), name="second")
    bill = synced_home / "bill.csv"
    bill.write_text(BILL, "utf-8")
    with open_warehouse(synced_home) as con:
        import_file(con, bill, NOW)
        add_total(con, TypedTotal("openai", "2026-09", "100.00", "USD"), NOW)
    reconcile([synced_home], NOW, {})
    with open_warehouse(synced_home) as con:
        for team in ("blue", "green"):
            decision = Decision({"team": team}, release=False, actor="ann", reason="asked")
            correct(con, Selection(("receipt-000001",)), decision, Policy(), NOW)
    reconcile([synced_home], NOW, {})
    return synced_home


@pytest.fixture
def home(sound, tmp_path):
    """A copy of it, to be tampered with."""
    return shutil.copytree(sound, tmp_path / "home")


def verified(home):
    with open_warehouse(home) as con:
        return verify(con, [home])


def tamper(home, *statements):
    with open_warehouse(home) as con:
        for statement in statements:
            con.execute(statement)


def test_sound_chain_holds(home):
    assert [(link.name, link.faults) for link in verified(home).links if link.faults] == []


def test_every_link_says_how_much_it_proved(home):
    proven = {link.name: link.proven for link in verified(home).links}

    assert proven["shipments"].startswith("2 shipments: 8 receipts and 1 exception events")
    assert proven["documents"] == "1 documents are as they were imported"
    assert proven["invoices"].startswith("2 invoices")


TAMPERED = {
    "changed attribution": (
        "shipments",
        "UPDATE receipt SET service = 'other' WHERE receipt_id = 'receipt-000003'",
        "rows 1 to 8 are not as they were shipped (8 of 8 are there)",
    ),
    "changed usage": (
        "shipments",
        "UPDATE receipt SET raw_usage = '{}' WHERE receipt_id = 'receipt-000011'",
        "rows 1 to 1 are not as they were shipped",
    ),
    "changed event": (
        "shipments",
        "UPDATE exception_event SET http_status = 500",
        "rows 1 to 8 are not as they were shipped",
    ),
    "doubled receipt": (
        "shipments",
        "INSERT INTO receipt SELECT * FROM receipt WHERE receipt_id = 'receipt-000002'",
        "receipt receipt-000002 is in the warehouse 2 times",
    ),
    "lost receipt": (
        "shipments",
        "DELETE FROM receipt WHERE receipt_id = 'receipt-000001'",
        "8 rows were shipped, the warehouse holds 7",
    ),
    "row that is gone": (
        "shipments",
        "DELETE FROM receipt WHERE receipt_id = 'receipt-000005'",
        "(7 of 8 are there, the first that is not: row 5), from '",
    ),
    "correction taken out": (
        "corrections",
        "DELETE FROM correction WHERE correction_no = 1",
        "correction 1 is there 0 times, not once",
    ),
    "correction put in": (
        "corrections",
        "INSERT INTO correction BY NAME SELECT * REPLACE (3 AS correction_no, 'x' AS receipt_id)"
        " FROM correction WHERE correction_no = 2",
        "correction 3 is about receipt x, which was never there",
    ),
    "correction changed": (
        "corrections",
        "UPDATE correction SET new_value = 'red' WHERE correction_no = 1",
        "correction 2 of receipt receipt-000001: team was 'red' when it was written, it says",
    ),
    "last correction taken out": (
        "corrections",
        "DELETE FROM correction WHERE correction_no = 2",
        "has lost its corrections 2 to 2",
    ),
    "last decision taken out": (
        "corrections",
        "DELETE FROM correction WHERE correction_no = 2;"
        " DELETE FROM correction_decision WHERE decision_no = 2",
        "correction_decision ends with 1, it was noted to end with 2",
    ),
    "decision that nobody took": (
        "corrections",
        "INSERT INTO correction BY NAME SELECT * REPLACE (3 AS correction_no, 'x' AS correction_id,"
        " 'service' AS field) FROM correction WHERE correction_no = 2",
        "corrections 3 to 3 are of no decision",
    ),
    "correction under another name": (
        "corrections",
        "UPDATE correction SET actor = 'bob' WHERE correction_no = 2",
        "corrections 2 to 2 are not what decision",
    ),
    "moved watermark": (
        "shipments",
        "UPDATE outbox SET watermark = 99 WHERE outbox_id = 'id-of-writer'",
        "its watermark is 99, its last shipment ended at 8",
    ),
    "forgotten meters": (
        "meters",
        "DELETE FROM receipt_meters WHERE receipt_id = 'receipt-000001'",
        "receipt receipt-000001 has 0 rows of meters, not 1",
    ),
    "changed rate": (
        "rate sheets",
        "UPDATE rate SET output_tokens_usd = output_tokens_usd + 0.000000000000000001 "
        "WHERE rate_id = (SELECT min(rate_id) FROM rate WHERE output_tokens_usd IS NOT NULL)",
        "its rates are not those of its fields",
    ),
    "changed price": (
        "prices",
        "UPDATE receipt_price SET estimated_cost_usd = estimated_cost_usd + 1 "
        "WHERE receipt_id = 'receipt-000001'",
        "its usage lines sum to 0.00045",
    ),
    "forgotten card": (
        "prices",
        "DELETE FROM rate_card",
        "by a rate card that is not there",
    ),
    "forgotten price": (
        "prices",
        "DELETE FROM receipt_price WHERE receipt_id = 'receipt-000001'",
        "billable receipt receipt-000001 has 0 prices, not 1",
    ),
    "broken document": (
        "documents",
        "UPDATE invoice_document SET payload = payload[1:20]",
        "cannot be unpacked",
    ),
    "changed total": (
        "invoices",
        "UPDATE invoice SET total = 99 WHERE provider = 'openai'",
        "is 99.00 USD, the last reconcile saw 100.00",
    ),
    "changed split": (
        "split",
        "UPDATE cost_split SET anchored_cost = anchored_cost + 0.01 "
        "WHERE split = 'feature' AND provider = 'openai' AND team = 'search'",
        "its split by feature sums to 100.01, not to 100.00 USD",
    ),
    "changed share": (
        "split",
        "UPDATE receipt_anchor SET anchored_cost = anchored_cost + 0.01 "
        "WHERE receipt_id = 'receipt-000001'",
        "its receipts carry 100.00999",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_change_is_named_in_its_link(home, name):
    link_name, statement, fault = TAMPERED[name]
    tamper(home, statement)

    link = next(link for link in verified(home).links if link.name == link_name)

    assert any(fault in found for found in link.faults), link.faults


def test_older_report_than_the_warehouse_is_named(home):
    left_behind(home, receipt(21), name="third")
    main(["ship", "--home", str(home)])

    report = next(link for link in verified(home).links if link.name == "report")

    assert report.faults == ("report.receipts has 8 rows, the warehouse 9; run: anchor reconcile",)


def test_rot_in_an_outbox_that_still_waits_is_named(home):
    with living(home, name="live") as writer:
        writer.write(receipt(31), receipt(32)).run("UPDATE receipt SET team = 'x' WHERE seq = 1")

        outboxes = verified(home).links[0]

    assert outboxes.faults == (f"{str(writer.path)!r}, rows 1 to 1: corrupt",)


def test_clones_that_went_on_apart_are_counted_and_not_called_changed(home):
    for team in ("red", "blue"):
        writer = Outbox(home, name=team, meta={"outbox_id": "cloned"})
        writer.write(receipt(41), receipt(42 if team == "red" else 43)).die()
        reconcile([home], NOW, {})

    assert verified(home).first_fault is None


def test_command_exits_with_1_and_names_the_first_fault(home, capsys):
    assert main(["verify", "--home", str(home)]) == 0
    tamper(home, TAMPERED["lost receipt"][1])

    assert main(["verify", "--home", str(home)]) == 1
    assert "First thing that is off: outbox id-of-writer: 8 rows were shipped" in (
        " ".join(capsys.readouterr().out.split())
    )


def test_command_prints_json(home, capsys):
    main(["verify", "--home", str(home), "--json"])

    report = json.loads(capsys.readouterr().out)
    assert (report["holds"], report["first_fault"]) == (True, None)
    assert {link["holds"] for link in report["links"]} == {True}


def test_home_that_is_not_there_is_not_made(tmp_path, capsys):
    missing = tmp_path / "mistyped"

    assert main(["verify", "--home", str(missing)]) == 2

    assert str(missing) in capsys.readouterr().err
    assert not missing.exists()
