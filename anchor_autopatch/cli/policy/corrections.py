"""`anchor policy held | release | corrections`: what is not charged yet, and who lets it in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import (
    add_job_arguments,
    config_of,
    homes_of,
    in_warehouse,
    this_user,
)
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.policy import read_policy

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_SELECTORS = ("team", "service", "feature", "environment", "call_site")


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the three subcommands."""
    _add_held(commands)
    _add_release(commands)
    _add_corrections(commands)


def _add_held(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "held",
        help="list what is held out of chargeback, and why",
        description="Lists receipts that the policy holds out of chargeback, by what they have in "
        "common. Exit code 1 when there are any.",
        epilog="example: anchor policy held --period 2026-11",
    )
    parser.add_argument("--period", metavar="YYYY-MM")
    add_job_arguments(parser)
    parser.set_defaults(run=_held)


def _held(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.policy import held_groups

    groups = in_warehouse(args, lambda con: held_groups(con, args.period))
    if args.json:
        print_json([group._asdict() for group in groups])
    elif groups:
        columns = ("period", "team", "service", "environment", "from", "problem", "receipts", "USD")
        print_table("Held out of chargeback", columns, groups, right=("receipts", "USD"))
    else:
        print("Nothing is held.")
    return FINDINGS if groups else CLEAN


def _add_release(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "release",
        help="say whose held receipts are, or charge them as they are",
        description="Records a correction: a dated entry that says what is right of the receipts, "
        "who decided and why. They are charged again with the next anchor reconcile. Without "
        "--receipt it is about all held receipts that fit --period and --where.",
        epilog="example: anchor policy release --where service=shop --set team=search "
        "--reason 'asked the team'",
    )
    parser.add_argument("--receipt", action="append", default=[], metavar="ID")
    parser.add_argument("--period", metavar="YYYY-MM")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help=f"what is in force: {', '.join(_SELECTORS)}; may be repeated",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="may be repeated"
    )
    parser.add_argument("--accept", action="store_true", help="charge them as they are")
    parser.add_argument("--by", metavar="NAME", help="who decides; default: who runs this")
    parser.add_argument("--reason", required=True, metavar="TEXT")
    add_job_arguments(parser)
    parser.set_defaults(run=_release)


def _release(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.corrections import Decision, Selection, correct

    where = _pairs("--where", args.where, _SELECTORS)
    selection = Selection(tuple(args.receipt), args.period, where)
    fields = _pairs("--set", args.set)
    decision = Decision(fields, args.accept, args.by or this_user(), args.reason)
    policy = read_policy(config_of(homes_of(args)[0]))[0]
    done = in_warehouse(
        args, lambda con: correct(con, selection, decision, policy, utc_now()), for_change=True
    )
    if args.json:
        print_json(done._asdict())
    else:
        print(
            f"Correction {done.correction_id} by {decision.actor}, receipts: {done.receipt_count}; "
            "anchor reconcile charges them."
        )
    return CLEAN


def _pairs(option: str, given: Iterable[str], known: Iterable[str] = ()) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, found, value = text.partition("=")
        if not (found and name and value):
            raise ConfigError(f"Cannot read {text!r} of {option}; expected FIELD=VALUE")
        if known and name not in known:
            raise ConfigError(f"Unknown field {name!r} of {option}; known: {', '.join(known)}")
        pairs[name] = value
    return pairs


def _add_corrections(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "corrections",
        help="list what was decided so far: when, by whom, why",
        description="Lists every correction, latest first; entry by entry they are in the table "
        "corrections of report.duckdb.",
        epilog="example: anchor policy corrections --json",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_corrections)


def _corrections(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.corrections import past_decisions

    decisions = in_warehouse(args, past_decisions)
    if args.json:
        print_json([decision._asdict() for decision in decisions])
    elif decisions:
        columns = ("correction", "recorded (UTC)", "by", "reason", "receipts", "changes")
        print_table("Corrections", columns, decisions, right=("receipts",))
    else:
        print("No corrections yet.")
    return CLEAN
