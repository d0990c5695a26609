"""Deaths, replays, clones and damage in any order: what was acknowledged is shipped exactly once.

Real SQLite and DuckDB files, the real writer and the real job. Hypothesis draws the history from
one seed, prints a failing one and shrinks it; `ANCHOR_SIMULATION_SEED=N` draws others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.warehouse import open_warehouse
from tests.simulation.world import World

SEEDS = int(os.environ.get("ANCHOR_SIMULATION_SEEDS", "200"))
"""Histories; `make chaos` asks for more."""
FIRST_SEED = int(os.environ.get("ANCHOR_SIMULATION_SEED", "0"))
"""What the first part draws from; each part has the next one."""
_PARTS = 10
"""So that several processes can share them."""

WHICH = st.integers(0, 3)
DEATH = st.none() | st.integers(0, 40)


class History(RuleBasedStateMachine):
    """What may happen, and what must be true after every step of it."""

    warehouse: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="simulation-"))
        self.environ = {name: os.environ.get(name) for name in ("ANCHOR_HOME", "XDG_STATE_HOME")}
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        shutil.copy(self.warehouse, home / WAREHOUSE_FILE)
        os.environ["ANCHOR_HOME"] = str(home)
        os.environ["XDG_STATE_HOME"] = str(self.folder / "state")
        self.world = World(home)
        self.checked: object = None

    @rule()
    def start_writer(self) -> None:
        self.world.start_writer()

    @precondition(lambda self: self.world.writers)
    @rule(which=WHICH, kinds=st.text("rrre", min_size=1, max_size=6))
    def write(self, which: int, kinds: str) -> None:
        self.world.write(which, kinds)

    @precondition(lambda self: self.world.writers)
    @rule(which=WHICH)
    def seal_file(self, which: int) -> None:
        self.world.seal_file(which)

    @precondition(lambda self: self.world.writers)
    @rule(which=WHICH)
    def kill_writer(self, which: int) -> None:
        self.world.kill_writer(which)

    @precondition(lambda self: self.world.writers)
    @rule(which=WHICH)
    def end_writer(self, which: int) -> None:
        self.world.end_writer(which)

    @precondition(lambda self: self.world.outboxes())
    @rule(which=WHICH)
    def copy_outbox(self, which: int) -> None:
        self.world.copy_outbox(which)

    @precondition(lambda self: self.world.copies)
    @rule(which=WHICH)
    def restore_copy(self, which: int) -> None:
        self.world.restore_copy(which)

    @precondition(lambda self: (self.world.home / "outbox").is_dir())
    @rule(content=st.binary(max_size=64))
    def add_foreign_file(self, content: bytes) -> None:
        self.world.add_foreign_file(content)

    @rule(which=WHICH, place=st.integers(0, 2**20))
    def flip_bit(self, which: int, place: int) -> None:
        self.world.flip_bit(which, place)

    @rule(seconds=st.integers(-100_000, 100_000))
    def move_clock(self, seconds: int) -> None:
        self.world.move_clock(seconds)

    @rule(cents=st.integers(0, 10_000))
    def add_invoice(self, cents: int) -> None:
        self.world.add_invoice(cents)

    @rule(die_at=DEATH)
    def ship(self, die_at: int | None) -> None:
        self.world.ship(die_at)

    @rule(die_at=DEATH)
    def reconcile(self, die_at: int | None) -> None:
        self.world.reconcile(die_at)

    @rule(die_at=st.none() | st.integers(0, 10))
    def archive(self, die_at: int | None) -> None:
        self.world.archive(die_at)

    @invariant()
    def nothing_is_doubled_or_made_up(self) -> None:
        if not self.world.has_shipped:
            # The warehouse is as it was: opening it is most of a step's time.
            return
        self.world.has_shipped = False
        # Most steps are those of writers: a warehouse that nobody wrote to says what it said.
        if self.world.warehouse_state() == self.checked:
            return
        with open_warehouse(self.world.home) as con:
            receipts = con.execute("SELECT receipt_id, service, raw_usage FROM receipt").fetchall()
            events = con.execute("SELECT event_id FROM exception_event").fetchall()
        shipped = {receipt_id: (service, usage) for receipt_id, service, usage in receipts}
        assert len(shipped) == len(receipts)
        assert shipped.items() <= self.world.model.receipts.items()
        assert len({event_id for (event_id,) in events}) == len(events)
        self.checked = self.world.warehouse_state()

    def teardown(self) -> None:
        try:
            self._all_arrives_and_ties()
        finally:
            shutil.rmtree(self.folder)
            for name, value in self.environ.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    def _all_arrives_and_ties(self) -> None:
        world = self.world
        while world.writers:
            world.kill_writer(0)
        world.reconcile()
        world.archive()
        model = world.model
        with open_warehouse(world.home) as con:
            receipts = _column(con, "SELECT receipt_id FROM receipt")
            events = _column(con, "SELECT event_id FROM exception_event")
            assert model.must_arrive() <= receipts
            assert model.events_must_arrive() <= events
            # What damage took is told of the file that held it: nothing is lost in silence.
            lost = (model.receipts.keys() | model.events.keys()) - receipts - events
            assert lost <= world.named(map(Path, _column(con, _ACCUSED)))
            quarantined = _count(con, "SELECT count(DISTINCT path) FROM quarantined_file")
            assert quarantined >= model.damaged
            assert verify(con, [world.home]).first_fault is None
            priced = "SELECT count(*) FROM receipt_price WHERE price_status = 'priced'"
            assert _count(con, priced) == _count(con, "SELECT count(*) FROM receipt")
            _assert_bill_is_shared_out(con)


_ACCUSED = """
SELECT path FROM quarantined_file
UNION
SELECT path FROM outbox_loss
"""


def _column(con, sql):
    return {value for (value,) in con.execute(sql).fetchall()}


def _count(con, sql):
    return con.execute(sql).fetchall()[0][0]


def _assert_bill_is_shared_out(con):
    has_receipts = _count(con, "SELECT count(*) FROM receipt") > 0
    bills = con.execute("SELECT total FROM invoice WHERE superseded_at IS NULL").fetchall()
    split = con.execute(
        "SELECT coalesce(sum(anchored_cost), 0) FROM app_cost WHERE invoice_id IS NOT NULL"
        + (" AND service NOT LIKE '\\_\\_%' ESCAPE '\\'" if has_receipts else "")
    ).fetchall()
    assert [Decimal(total) for (total,) in bills] in ([], [split[0][0]])


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(_PARTS))
def test_any_history_ends_in_the_truth(warehouse, part):
    class Part(History):
        """Histories of one part."""

    Part.__qualname__ = Part.__name__ = f"History{part}"
    Part.warehouse = warehouse
    run_state_machine_as_test(
        seed(FIRST_SEED + part)(Part),
        settings=settings(
            max_examples=max(1, SEEDS // _PARTS),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
