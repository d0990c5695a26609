"""Wherever shippers are killed, ten of them at once: each receipt arrives, and arrives once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.chaos.support import run_script, settle_account


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "kills",
    [pytest.param(15, marks=pytest.mark.slow), pytest.param(1_000, marks=pytest.mark.chaos)],
)
def test_shippers_killed_at_their_steps(synced_home, kills, tell):
    lines = run_script("tests.chaos.shippers", kills, kills, home=synced_home)
    steps = Counter(line.removeprefix("killed ") for line in lines if line.startswith("killed "))

    account = settle_account(
        synced_home, [line for line in lines if not line.startswith("killed ")]
    )

    where = ", ".join(f"{step} {count}" for step, count in steps.most_common())
    tell(f"{steps.total():,} kills, {account}; at {where}")
    assert (account.lost, account.doubled) == ([], 0)
    assert steps.total() == kills
