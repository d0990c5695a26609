"""`anchor invoices rate add | list`: booked exchange rates, for invoices in other currencies."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from anchor_autopatch.cli.jobs import add_action, add_actor, homes_of
from anchor_autopatch.cli.output import print_json, print_table

if TYPE_CHECKING:
    from argparse import Namespace


def add_rate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `rate` and its own actions to those of `anchor invoices`."""
    parser = actions.add_parser(
        "rate",
        help="book exchange rates, by which invoices in other currencies are compared",
        description="Books and shows exchange rates. The split is in the currency of the invoice; "
        "only the comparison with estimates, which are USD, needs a rate.",
        epilog="example: anchor invoices rate list",
    )
    rate_actions = parser.add_subparsers(dest="rate_action", required=True, metavar="ACTION")
    add = add_action(
        rate_actions,
        "add",
        _run_add,
        (
            "book a rate from a day on",
            "Books what one unit of a currency is worth, from a day until the next rate of it. A "
            "month is converted at the rate that holds on its last day.",
            "anchor invoices rate add --currency EUR --rate 1.0842 --from 2026-10-01 "
            "--source 'ECB 2026-10-30'",
        ),
    )
    add.add_argument("--currency", required=True, help="ISO 4217, such as EUR")
    add.add_argument("--rate", required=True, metavar="USD", help="USD for one unit")
    add.add_argument("--from", required=True, dest="start", metavar="YYYY-MM-DD", help="first day")
    add.add_argument("--source", required=True, metavar="TEXT", help="where the rate is from")
    add_actor(add)
    add_action(
        rate_actions,
        "list",
        _run_list,
        (
            "show the rates in force",
            "Shows the booked rates, by currency and day.",
            "anchor invoices rate list --json",
        ),
    )


def _run_add(args: Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.exchange import book_rate, read_rate
    from anchor_autopatch.job.warehouse import open_warehouse

    rate = read_rate(args.currency, args.rate, args.start, args.source)
    with open_warehouse(homes_of(args)[0]) as con:
        book_rate(con, rate, args.by, utc_now())
    if args.json:
        print_json([rate._asdict()])
    else:
        print(
            f"booked: 1 {rate.currency} = {rate.usd_per_unit} USD from {rate.effective_from}; "
            "anchor reconcile compares by it"
        )
    return 0


def _run_list(args: Namespace) -> int:
    from anchor_autopatch.job.exchange import rates
    from anchor_autopatch.job.warehouse import open_warehouse

    with open_warehouse(homes_of(args)[0]) as con:
        listed = rates(con)
    if args.json:
        print_json([rate._asdict() for rate in listed])
        return 0
    columns = ("currency", "from", "to", "USD for one", "source")
    print_table("Exchange rates", columns, listed, right=("USD for one",))
    return 0
