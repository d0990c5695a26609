"""Whenever a writer is killed: each receipt that it acknowledged arrives, and arrives once."""

from __future__ import annotations

import pytest

from tests.chaos.support import run_script, settle_account

_BATCH = 1_000
"""Kills between two runs of the shipper: ten thousand outboxes at once are another test."""
_STEPS_AT_LEAST = 50
"""A writer's life has so many; far fewer would mean that they are no longer told."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "kills",
    [pytest.param(500, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.chaos)],
)
def test_writers_killed_at_random_instants(synced_home, kills, tell):
    acknowledged = []

    for first in range(0, kills, _BATCH):
        batch = min(_BATCH, kills - first)
        acknowledged += run_script("tests.chaos.writers", batch, first, home=synced_home)
        account = settle_account(synced_home, acknowledged)
        assert (account.lost, account.doubled, account.findings) == ([], 0, [])

    tell(f"{kills:,} kills, {account}")
    assert account.acknowledged > 5 * kills
    assert account.in_flight <= 3 * kills


def test_writer_killed_at_each_of_its_steps(synced_home, tell):
    lines = run_script("tests.chaos.steps", home=synced_home)
    steps = [line.removeprefix("step ") for line in lines if line.startswith("step ")]

    account = settle_account(synced_home, [line for line in lines if not line.startswith("step ")])

    tell(f"{len(steps)} steps of {len(set(steps))} kinds, {account}")
    assert (account.lost, account.doubled, account.findings) == ([], 0, [])
    assert len(steps) > _STEPS_AT_LEAST
