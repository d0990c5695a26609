"""`anchor ship`: moves receipts from the outboxes to the warehouse, once or for ever."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NoReturn

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_job_arguments, homes_of, only_job
from anchor_autopatch.cli.output import print_json
from anchor_autopatch.core.errors import StoreError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from anchor_autopatch.job.ship import ShipReport

_INTERVAL_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 300.0
_SHORTEST_WAIT_SECONDS = 0.05
"""With less, an idle side-car would keep a processor busy."""


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `ship`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="Moves receipts and exception events from the outboxes to the warehouse. "
        "Running it twice, or killing it, doubles and loses nothing.",
        epilog="example: anchor ship --home ~/.local/state/anchor --home /srv/app/anchor",
    )
    add_job_arguments(parser)
    parser.add_argument("--follow", action="store_true", help="go on until interrupted")
    parser.add_argument(
        "--interval",
        type=float,
        default=_INTERVAL_SECONDS,
        metavar="SECONDS",
        help="with --follow, between two rounds (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    homes = homes_of(args)
    if args.follow:
        _follow(homes, max(args.interval, _SHORTEST_WAIT_SECONDS), as_json=args.json)
    return _ship_once(homes, as_json=args.json)


def _follow(homes: Sequence[Path], interval: float, *, as_json: bool) -> NoReturn:
    """Ships for ever; waits longer and longer while the warehouse cannot be had.

    A warehouse that somebody queries, or a full disk, is no reason to end: nothing is lost
    meanwhile, the rows wait in their outboxes.
    """
    wait, quiet = interval, False
    while True:
        try:
            _ship_once(homes, as_json=as_json, quiet=quiet)
        except StoreError as error:
            # Longer each time: whoever queries the warehouse is not asked for it without end.
            wait = max(interval, min(2 * wait, _LONGEST_WAIT_SECONDS))
            print(f"anchor: {error}; trying again in {wait:g} s", file=sys.stderr, flush=True)
        else:
            wait, quiet = interval, True
        time.sleep(wait)


def _ship_once(homes: Sequence[Path], *, as_json: bool, quiet: bool = False) -> int:
    """One round; the warehouse is open no longer than it takes."""
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.ship import ship
    from anchor_autopatch.job.warehouse import open_warehouse

    with only_job(homes[0]) as mine:
        if not mine:
            return CLEAN
        with open_warehouse(homes[0]) as con:
            report = ship(con, homes, utc_now())
    if not quiet or report.receipts or report.events or report.findings:
        print_json(as_dict(report)) if as_json else print_shipped(report, homes)
    return FINDINGS if report.findings else CLEAN


def as_dict(report: ShipReport) -> dict[str, object]:
    """The report as plain values for JSON."""
    from dataclasses import asdict

    quarantined = [found._asdict() for found in report.quarantined]
    return {**asdict(report), "quarantined": quarantined}


def print_shipped(report: ShipReport, homes: Sequence[Path]) -> None:
    """The report in words, findings included."""
    # Flushed: `--follow` writes to a pipe or a log that somebody reads while it runs.
    print(shipped_line(report, homes), flush=True)
    for finding in report.findings:
        print(f"! {finding}")


def shipped_line(report: ShipReport, homes: Sequence[Path]) -> str:
    """One line that says what was moved, or why nothing was."""
    for busy in report.busy:
        return f"Shipped nothing from {busy!r}: another shipper is at work there."
    if not report.outboxes:
        places = ", ".join(str(home / "outbox") for home in homes)
        return f"Nothing to ship: no outbox in {places}."
    live = f", {report.live} of them still being written" if report.live else ""
    return (
        f"Shipped receipts: {report.receipts}, exception events: {report.events}, "
        f"from outboxes: {report.outboxes}{live}."
    )
