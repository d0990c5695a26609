"""Deaths, replays, clones and damage in any order: what was acknowledged is shipped exactly once.

Real SQLite and DuckDB files, the real writer and the real job. One seed is one history; a failing
one is told with the shortest part of it that still fails.
"""

from __future__ import annotations

import os
import shutil

import pytest

from anchor_autopatch.core.settings import WAREHOUSE_FILE
from tests.simulation.history import drawn, play, shrunk
from tests.simulation.invariants import AfterEachStep, assert_all_arrived_and_ties
from tests.simulation.world import World

SEEDS = int(os.environ.get("ANCHOR_SIMULATION_SEEDS", "200"))
"""Histories; `make chaos` asks for more."""
FIRST_SEED = int(os.environ.get("ANCHOR_SIMULATION_SEED", "0"))


@pytest.fixture
def outcome_of(warehouse, tmp_path, monkeypatch):
    """Plays a history in a new world; what went wrong, or None."""

    def outcome(steps):
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        shutil.copy(warehouse, home / WAREHOUSE_FILE)
        monkeypatch.setenv("ANCHOR_HOME", str(home))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        world = World(home)
        try:
            play(world, steps, AfterEachStep(world))
            assert_all_arrived_and_ties(world)
        # Whatever ends a history early is a fault of ours, and shrinks as well as a broken sum.
        except Exception as fault:  # noqa: BLE001
            return fault
        finally:
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
        return None

    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_any_history_ends_in_the_truth(outcome_of, seed):
    steps = drawn(seed)

    fault = outcome_of(steps)

    if fault is not None:
        fewest = "\n".join(map(repr, shrunk(steps, lambda part: outcome_of(part) is not None)))
        again = f"ANCHOR_SIMULATION_SEED={seed} ANCHOR_SIMULATION_SEEDS=1 pytest {__file__}"
        raise AssertionError(f"Seed {seed} fails by these steps ({again}):\n{fewest}") from fault
