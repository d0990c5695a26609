"""What must be true of a world after every step, and what when everything has come to rest."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.warehouse import open_warehouse

if TYPE_CHECKING:
    from tests.simulation.world import World

_ACCUSED = """
SELECT path FROM quarantined_file
UNION
SELECT path FROM outbox_loss
"""


class AfterEachStep:
    """Nothing is doubled, changed or made up. The warehouse is read when somebody wrote to it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._checked: object = None

    def __call__(self) -> None:
        # Most steps are those of writers: a warehouse that nobody wrote to says what it said.
        if not self._world.has_shipped or self._world.warehouse_state() == self._checked:
            return
        self._world.has_shipped = False
        with open_warehouse(self._world.home) as con:
            receipts = con.execute("SELECT receipt_id, service, raw_usage FROM receipt").fetchall()
            events = con.execute("SELECT event_id FROM exception_event").fetchall()
        shipped = {receipt_id: (service, usage) for receipt_id, service, usage in receipts}
        assert len(shipped) == len(receipts)
        assert shipped.items() <= self._world.model.receipts.items()
        assert len(set(events)) == len(events)
        self._checked = self._world.warehouse_state()


def assert_all_arrived_and_ties(world: World) -> None:
    """Every writer ends, the job runs once more: all is there, told, priced, shared out, proven."""
    while world.writers:
        world.kill_writer(0)
    world.reconcile()
    world.archive()
    with open_warehouse(world.home) as con:
        _assert_arrived(world, con)
        assert verify(con, [world.home]).first_fault is None
        priced = "SELECT count(*) FROM receipt_price WHERE price_status = 'priced'"
        assert _count(con, priced) == _count(con, "SELECT count(*) FROM receipt")
        _assert_bill_is_shared_out(con)


def _assert_arrived(world, con):
    model = world.model
    receipts = _column(con, "SELECT receipt_id FROM receipt")
    events = _column(con, "SELECT event_id FROM exception_event")
    assert model.must_arrive() <= receipts
    assert model.events_must_arrive() <= events
    # What damage took is told of the file that held it: nothing is lost in silence.
    lost = (model.receipts.keys() | model.events.keys()) - receipts - events
    assert lost <= world.named(map(Path, _column(con, _ACCUSED)))
    assert _count(con, "SELECT count(DISTINCT path) FROM quarantined_file") >= model.damaged


def _assert_bill_is_shared_out(con):
    has_receipts = _count(con, "SELECT count(*) FROM receipt") > 0
    bills = con.execute("SELECT total FROM invoice WHERE superseded_at IS NULL").fetchall()
    split = con.execute(
        "SELECT coalesce(sum(anchored_cost), 0) FROM app_cost WHERE invoice_id IS NOT NULL"
        + (" AND service NOT LIKE '\\_\\_%' ESCAPE '\\'" if has_receipts else "")
    ).fetchall()
    assert [Decimal(total) for (total,) in bills] in ([], [split[0][0]])


def _column(con, sql):
    return {value for (value,) in con.execute(sql).fetchall()}


def _count(con, sql):
    return con.execute(sql).fetchall()[0][0]
