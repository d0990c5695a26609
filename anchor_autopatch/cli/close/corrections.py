"""`anchor close correct`: what should have been different about a frozen month."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.close.actions import rules_of
from anchor_autopatch.cli.jobs import add_actor, add_job_arguments, in_warehouse
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from anchor_autopatch.job.close import CloseRules
    from anchor_autopatch.job.close.correcting import Move
    from anchor_autopatch.job.close.events import Act

_FIELDS = ("team", "service", "environment", "provider", "provider_account", "invoice_id")
_TARGETS = ("team", "service", "environment")


def add_correct(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    """Adds the action `correct`."""
    parser = actions.add_parser(
        "correct",
        help="propose, approve or reject corrections to a frozen month",
        description="Without options lists the corrections of a frozen period; what late receipts "
        "would have changed is proposed by anchor reconcile. With --from, --to and --amount "
        "proposes to move money. --approve, by somebody else, reverses the old booking and books "
        "the right one, both in the open period. Exit code 1 while proposals wait.",
        epilog="example: anchor close correct 2026-10 --from service=imagegen "
        "--to team=support,service=chatbot --amount 12.50 --reason 'shared job' --by ana",
    )
    parser.add_argument("period", metavar="YYYY-MM")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--from", dest="source", metavar="FIELD=VALUE,...", help="who has the money")
    what.add_argument("--show", metavar="ID", help="what a proposal would change")
    what.add_argument("--approve", metavar="ID")
    what.add_argument("--reject", metavar="ID")
    parser.add_argument("--to", metavar="FIELD=VALUE,...", help="whose it is")
    parser.add_argument("--amount", metavar="AMOUNT", help="in the currency of the invoice")
    parser.add_argument("--reason", default="", metavar="TEXT")
    add_actor(parser)
    add_job_arguments(parser)
    parser.set_defaults(run=lambda args: _correct(args, rules_of(args)))


def _correct(args: argparse.Namespace, rules: CloseRules) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.close.events import Act

    if args.show:
        return _show(args)
    if args.source or args.approve or args.reject:
        result = _decide(args, rules, Act(args.by, args.reason, utc_now()))
        print_json(result) if args.json else print(result["done"])
        return CLEAN
    return _list(args)


def _decide(args: argparse.Namespace, rules: CloseRules, act: Act) -> dict[str, str]:
    from anchor_autopatch.job.close.correcting import approve, propose_move, reject

    if args.approve:
        booked_in = in_warehouse(
            args,
            lambda con: approve(con, rules, args.approve, act),
            for_change=True,
            publish=True,
        )
        return {"correction": args.approve, "done": f"{args.approve} is booked in {booked_in}"}
    if args.reject:
        in_warehouse(args, lambda con: reject(con, rules, args.reject, act), for_change=True)
        return {"correction": args.reject, "done": f"{args.reject} is rejected"}
    move = _move(args)
    made = in_warehouse(
        args, lambda con: propose_move(con, rules, args.period, move, act), for_change=True
    )
    mend = f"anchor close correct {args.period} --approve {made}"
    return {"correction": made, "done": f"Proposed {made}; an approver books it: {mend}"}


def _move(args: argparse.Namespace) -> Move:
    from anchor_autopatch.job.close.correcting import Move

    if not args.to or not args.amount:
        raise ConfigError("Whose is the money, and how much? Give --to FIELD=VALUE and --amount")
    try:
        amount = Decimal(args.amount)
    except InvalidOperation:
        raise ConfigError(f"Amount {args.amount!r} is not a number, such as 12.50") from None
    source = _pairs("--from", args.source, _FIELDS)
    return Move(source, _pairs("--to", args.to, _TARGETS), amount)


def _pairs(option: str, text: str, known: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for part in text.split(","):
        name, found, value = part.strip().partition("=")
        if not found or name not in known:
            raise ConfigError(
                f"Cannot read {part!r} of {option}; expected FIELD=VALUE of {', '.join(known)}"
            )
        pairs[name] = value
    return pairs


def _show(args: argparse.Namespace) -> int:
    from anchor_autopatch.cli.amounts import money
    from anchor_autopatch.job.close.proposals import changes_of

    changes = in_warehouse(args, lambda con: changes_of(con, args.show))
    if not changes:
        raise ConfigError(f"Correction {args.show!r} is not known; anchor close correct lists all")
    if args.json:
        print_json([{**app._asdict(), "booked": old, "right": new} for app, old, new in changes])
        return CLEAN
    columns = (
        "invoice",
        "team",
        "service",
        "environment",
        "booked",
        "right",
        "difference",
        "currency",
    )
    rows = [
        (
            *(app.invoice_id, app.team, app.service, app.environment),
            *(money(old, app.currency), money(new, app.currency)),
            *(money(new - old, app.currency), app.currency),
        )
        for app, old, new in changes
    ]
    print_table(f"Correction {args.show}", columns, rows, right=("booked", "right", "difference"))
    return CLEAN


def _list(args: argparse.Namespace) -> int:
    from anchor_autopatch.cli.amounts import money
    from anchor_autopatch.job.close.proposals import proposals

    found = in_warehouse(args, lambda con: proposals(con, args.period))
    if args.json:
        print_json([each._asdict() for each in found])
    elif found:
        columns = (
            "correction",
            "kind",
            "state",
            "moves",
            "currency",
            "proposed by",
            "decided by",
            "reason",
        )
        rows = [
            (
                *(each.correction_id, each.kind, each.state, money(each.moved, each.currency)),
                *(each.currency, each.proposed_by, each.decided_by, each.reason),
            )
            for each in found
        ]
        print_table(f"Corrections of {args.period}", columns, rows, right=("moves",))
    else:
        print(f"No corrections of {args.period}.")
    return FINDINGS if any(each.state == "proposed" for each in found) else CLEAN
