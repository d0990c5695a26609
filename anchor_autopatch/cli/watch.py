"""`anchor watch`: the side-car that raises incidents and tells of them within seconds."""

from __future__ import annotations

import os
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_job_arguments, config_of, homes_of
from anchor_autopatch.cli.output import print_json
from anchor_autopatch.core.errors import StoreError

if TYPE_CHECKING:
    import argparse

    from anchor_autopatch.job.incidents.running import Settings
    from anchor_autopatch.job.incidents.watching import WatchReport

_INTERVAL_SECONDS = 1.0


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `watch`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="Looks into the outboxes, raises incidents and tells of them, until it is "
        "interrupted. anchor reconcile does the same each time it runs; both may run beside each "
        "other. Needs no warehouse. With --once, exit code 1 means that something failed anew.",
        epilog="example: anchor watch",
    )
    add_job_arguments(parser)
    parser.add_argument("--once", action="store_true", help="one round, for cron")
    parser.add_argument(
        "--interval",
        type=float,
        default=_INTERVAL_SECONDS,
        metavar="SECONDS",
        help="between two rounds (default: %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.incidents.running import read_settings
    from anchor_autopatch.job.incidents.watching import watch_once

    homes = homes_of(args)
    settings = read_settings(config_of(homes[0]), os.environ)
    if args.once:
        report = watch_once(homes, settings, utc_now())
        _say(args, report)
        return FINDINGS if report.found.opened else CLEAN
    _warn_of_silence(len(settings.alerts.sinks))
    return _go_on(args, settings)


def _go_on(args: argparse.Namespace, settings: Settings) -> int:
    """Rounds until SIGTERM or Ctrl-C; a file that cannot be had now is no reason to end."""
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.incidents.watching import watch

    homes, ended = homes_of(args), Event()
    # A service manager ends with SIGTERM: the round under way is finished, no message is cut off.
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    interval = max(args.interval, 0.05)
    while not ended.is_set():
        try:
            watch(
                homes,
                settings,
                utc_now,
                lambda report: _say(args, report) if report.is_news else None,
                interval_s=interval,
                ended=ended,
            )
        except StoreError as error:
            print(f"anchor: {error}; trying again", file=sys.stderr, flush=True)
            ended.wait(max(interval, 5.0))
    return CLEAN


def _warn_of_silence(sinks: int) -> None:
    if not sinks:
        print(
            "Nobody will be told: name a sink in [[alerts.sink]] of anchor.toml, "
            "or set ANCHOR_ALERT_URL.",
            file=sys.stderr,
            flush=True,
        )


def _say(args: argparse.Namespace, report: WatchReport) -> None:
    found, sent = report
    if args.json:
        print_json({"found": found._asdict(), "sent": sent._asdict()})
        return
    # Flushed: somebody reads the log while it runs.
    print(
        f"New events: {found.events}, incidents opened: {_ids(found.opened)}, "
        f"resolved: {_ids(found.resolved)}; messages delivered: {sent.delivered}, "
        f"to be tried again: {sent.failed}, given up: {sent.dead}",
        flush=True,
    )


def _ids(incidents: tuple[str, ...]) -> str:
    return ", ".join(incidents) or "none"
