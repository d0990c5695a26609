"""`anchor alerts`: proves that each sink is told, and lists what was sent."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_job_arguments, config_of, homes_of
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    from anchor_autopatch.core.alerting.rules import AlertRules, Sink

_HINT = "name one in [[alerts.sink]] of anchor.toml, or set ANCHOR_ALERT_URL"


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand and its actions."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog="example: anchor alerts test"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    test = actions.add_parser(
        "test",
        help="send a test message to each sink",
        description="Sends one test message to each sink, or to one, on the way that every alert "
        "takes. Exit code 1 when one did not take it.",
        epilog="example: anchor alerts test --sink ops",
    )
    test.add_argument("--sink", metavar="NAME", help="only this one")
    add_job_arguments(test)
    test.set_defaults(run=_test)
    listed = actions.add_parser(
        "list",
        help="list messages and what became of them",
        description="Lists what was told and what waits, newest first. Exit code 1 when a message "
        "was given up, or when somebody changed the chain of tries.",
        epilog="example: anchor alerts list --json",
    )
    listed.add_argument("--all", action="store_true", help="more than the newest 50")
    add_job_arguments(listed)
    listed.set_defaults(run=_list)


def _rules(args: argparse.Namespace) -> AlertRules:
    from anchor_autopatch.core.alerting.rules import read_rules

    return read_rules(config_of(homes_of(args)[0]), os.environ)


def _test(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.delivery.sending import Sender
    from anchor_autopatch.job.incidents.store import Store

    rules = _rules(args)
    sinks = _chosen(rules, args.sink)
    sender = Sender(rules, os.environ)
    with Store(homes_of(args)[0]) as store:
        outcomes = [(sink, sender.prove(store, sink, utc_now())) for sink in sinks]
    if args.json:
        print_json([{"sink": sink.name, **outcome._asdict()} for sink, outcome in outcomes])
    else:
        columns = ("sink", "kind", "outcome", "status", "ms", "error")
        rows = [
            (sink.name, sink.kind, found.outcome, found.http_status, found.latency_ms, found.error)
            for sink, found in outcomes
        ]
        print_table("Test messages", columns, rows, right=("status", "ms"))
    return FINDINGS if any(found.outcome != "delivered" for _, found in outcomes) else CLEAN


def _chosen(rules: AlertRules, name: str | None) -> tuple[Sink, ...]:
    if name is None:
        if not rules.sinks:
            raise ConfigError(f"Nobody is told of incidents; {_HINT}")
        return rules.sinks
    sink = rules.named(name)
    if sink is None:
        known = ", ".join(each.name for each in rules.sinks) or "none"
        raise ConfigError(f"Unknown sink {name!r}; known: {known}")
    return (sink,)


def _list(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.delivery.queue import chain_breaks, deliveries
    from anchor_autopatch.job.incidents.store import Store

    with Store(homes_of(args)[0]) as store:
        found, breaks = deliveries(store.con), chain_breaks(store.con)
    # JSON is for programs, which page for themselves.
    shown = found if args.all or args.json else found[:50]
    if args.json:
        print_json({"deliveries": [each._asdict() for each in shown], "chain": breaks})
    elif shown:
        columns = ("message", "sink", "of", "state", "tries", "last error")
        rows = [
            (each.delivery_key, each.sink, each.kind, each.state, each.attempts, each.last_error)
            for each in shown
        ]
        print_table("Messages", columns, rows, right=("tries",))
    else:
        print("Nobody was told of anything yet.")
    for each in breaks:
        print(f"! {each}")
    return FINDINGS if breaks or any(each.state == "dead" for each in found) else CLEAN
