"""`anchor close actions`: what has to be done about variances, by whom, since when."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import (
    add_actor,
    add_job_arguments,
    config_of,
    homes_of,
    in_warehouse,
)
from anchor_autopatch.cli.output import print_json, print_table

if TYPE_CHECKING:
    import argparse

    from anchor_autopatch.job.close import CloseRules

_CENT = Decimal("0.01")


def add_actions(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    """Adds the action `actions`."""
    parser = actions.add_parser(
        "actions",
        help="list what has to be done about variances; assign and settle it",
        description="Lists variances that need a person, with owner, age and state. --assign gives "
        "one to somebody, --settle says what became of it: mended, or accepted. A month is signed "
        "off when all of its actions are settled. Exit code 1 while some are not.",
        epilog="example: anchor close actions 2026-10 --settle v-0123456789ab "
        "--reason 'discount of the new contract' --by ana",
    )
    parser.add_argument("period", nargs="?", metavar="YYYY-MM")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--assign", metavar="ID")
    what.add_argument("--settle", metavar="ID")
    parser.add_argument("--to", metavar="NAME", help="who takes it on")
    parser.add_argument("--reason", default="", metavar="TEXT")
    add_actor(parser)
    add_job_arguments(parser)
    parser.set_defaults(run=lambda args: _actions(args, rules_of(args)))


def rules_of(args: argparse.Namespace) -> CloseRules:
    """The section `[close]` of the policy that goes with the first home."""
    from anchor_autopatch.job.close import read_rules

    return read_rules(config_of(homes_of(args)[0]))


def _actions(args: argparse.Namespace, rules: CloseRules) -> int:
    from anchor_autopatch.core.errors import ConfigError
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.close.acting import assign, settle
    from anchor_autopatch.job.close.events import Act

    act = Act(args.by, args.reason, utc_now())
    if args.assign:
        if not args.to:
            raise ConfigError(f"Who takes {args.assign} on? Give --to NAME")
        in_warehouse(
            args, lambda con: assign(con, rules, args.assign, args.to, act), for_change=True
        )
        return _say(args, args.assign, f"{args.assign} is with {args.to} now")
    if args.settle:
        in_warehouse(args, lambda con: settle(con, rules, args.settle, act), for_change=True)
        return _say(args, args.settle, f"{args.settle} is settled")
    return _list(args)


def _say(args: argparse.Namespace, action_id: str, done: str) -> int:
    print_json({"action": action_id, "done": done}) if args.json else print(done)
    return CLEAN


def _list(args: argparse.Namespace) -> int:
    from anchor_autopatch.cli.amounts import money
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.variance import actions

    found = in_warehouse(args, lambda con: actions(con, utc_now(), args.period))
    if args.json:
        print_json([each._asdict() for each in found])
    elif found:
        columns = (
            "action",
            "period",
            "invoice",
            "category",
            "amount",
            "currency",
            "owner",
            "state",
            "days",
        )
        rows = [
            (
                *(each.action_id, each.period, each.invoice_id, each.category),
                *(money(each.amount.quantize(_CENT), each.currency), each.currency),
                *(each.owner, each.state, each.age_days),
            )
            for each in found
        ]
        print_table("Variances that need a person", columns, rows, right=("amount", "days"))
        for each in found:
            print(f"{each.action_id}: {each.evidence}{f' ({each.note})' if each.note else ''}")
    else:
        print("No variance needs a person.")
    return FINDINGS if any(each.state in ("open", "assigned") for each in found) else CLEAN
