"""A reconcile killed at any of its steps ends, run again, in the same report and archive."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import UTC, datetime

import duckdb
import pytest

from anchor_autopatch.core import crash_points
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import Outbox, event, left_behind, receipt
from tests.simulation.world import Died

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)
CONFIG = {"retention": {"quarantine_days": 365}}
"""Asks for the archive, too."""
_STEPS_AT_LEAST = 20
"""A run passes so many; far fewer would mean that the steps are no longer told."""


@pytest.fixture(scope="module")
def before(warehouse, tmp_path_factory):
    """A home with everything that a run can meet: sound, rotten and foreign files, a bill."""
    home = tmp_path_factory.mktemp("before")
    shutil.copy(warehouse, home / warehouse.name)
    left_behind(home, *(receipt(number) for number in range(1, 30)), event(30))
    left_behind(home, *(receipt(number) for number in range(1, 9)), name="clone")
    rotten = Outbox(home, name="rotten").write(receipt(41), receipt(42), receipt(43))
    rotten.run("UPDATE receipt SET team = 'x' WHERE seq = 2").die()
    (home / "outbox" / "foreign.db").write_bytes(b"no outbox")
    with open_warehouse(home) as con:
        add_total(con, TypedTotal("openai", "2026-09", "100.00", "USD"), NOW)
    return home


def copied(before, tmp_path):
    # The rotten file stays where it is found: its path is part of the result.
    return shutil.copytree(before, tmp_path / "home")


def published(home):
    """Every relation of the report, row by row; an incident's random id gives way to its cause."""
    with duckdb.connect(str(home / "report.duckdb"), read_only=True) as con:
        names = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
        causes = "SELECT incident_id, concat_ws(' ', class, provider, model, code) FROM incidents"
        cause_of = dict(con.execute(causes).fetchall())
        return {
            name: sorted(
                (
                    [cause_of.get(v, v) if isinstance(v, str) else v for v in row]
                    for row in con.execute(f"FROM {name}").fetchall()
                ),
                key=repr,
            )
            for name in names
        }


def archived(home):
    """Every file of the archive with its bytes."""
    files = (home / "archive").rglob("*.parquet")
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def steps_of(run):
    passed = []
    with crash_points.watched(passed.append):
        run()
    return passed


def kill_at(number, run):
    """Runs until the step with this number."""
    left = number

    def observe(step):
        nonlocal left
        if left == 0:
            raise Died(step)
        left -= 1

    with suppress(Died), crash_points.watched(observe):
        run()


# Dead before a commit is as dead as after the one before it: `make test` leaves those steps out.
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param({"transaction.done"}, marks=pytest.mark.slow),
        pytest.param(set(), marks=pytest.mark.chaos),
    ],
)
def test_killed_at_each_step_it_ends_in_the_same_report(before, tmp_path, left_out):
    home = copied(before, tmp_path)
    steps = steps_of(lambda: reconcile([home], NOW, CONFIG))
    undisturbed, files = published(home), archived(home)
    assert len(steps) >= _STEPS_AT_LEAST
    assert len(files) > 1

    for number, step in enumerate(steps):
        if step in left_out:
            continue
        shutil.rmtree(home)
        copied(before, tmp_path)
        kill_at(number, lambda: reconcile([home], NOW, CONFIG))
        reconcile([home], NOW, CONFIG)

        differing = [name for name, rows in published(home).items() if rows != undisturbed[name]]
        assert not differing, f"killed at step {number} ({step})"
        assert archived(home) == files, f"killed at step {number} ({step})"
