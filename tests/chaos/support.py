"""What the chaos tests share: processes to be killed, and the account of what arrived."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.host.support import CHECKOUT, environment

SOURCES = (CHECKOUT, CHECKOUT / "exporters")


class Account(NamedTuple):
    """Of receipts, by response id: what was acknowledged and what the warehouse has."""

    acknowledged: int
    lost: list[str]
    doubled: int
    """Rows beyond the first of an id."""
    in_flight: int
    """Arrived though nobody was told: the process died between the commit and its next step."""
    findings: list[str]
    """What the shippers said; nothing is damaged here, so nothing should be said."""

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} receipts acknowledged, {len(self.lost)} lost, "
            f"{self.doubled} doubled, {self.in_flight} arrived that died unacknowledged"
        )


def run_script(module, *arguments, home, **variables):
    """Runs one of our modules as a process of its own; returns what it printed, line by line."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=environment(home, hook=False, path=SOURCES, **variables),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done
    return done.stdout.splitlines()


def settle_account(home, acknowledged):
    """Ships what is left in the home and compares it with what processes were told."""
    fallback = home / "state" / "anchor"
    with open_warehouse(home) as con:
        report = ship(con, [home, fallback], datetime.now(UTC) + timedelta(days=3))
        arrived = [row[0] for row in con.execute("SELECT response_id FROM receipt").fetchall()]
    known = set(arrived)
    return Account(
        len(acknowledged),
        sorted(set(acknowledged) - known),
        len(arrived) - len(known),
        len(known - set(acknowledged)),
        report.findings,
    )
