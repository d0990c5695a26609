"""`anchor report`: the split of each bill, with the proof that it sums to the invoice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN
from anchor_autopatch.cli.jobs import add_job_arguments, homes_of
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import StoreError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from anchor_autopatch.job.allocation.split import Bill, Split
    from anchor_autopatch.job.spend.published import BudgetRow

_COLUMNS = (
    "team",
    "service",
    "environment",
    "model",
    "calls",
    "estimated USD",
    "anchored",
    "status",
)
_BADGES = {"estimated": "est"}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `report`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="Prints the split of each provider's bill: the estimate by rate card beside "
        "the share of the invoice. Every row says what it is: est, anchored or frozen.",
        epilog="example: anchor report --period 2026-10",
    )
    add_job_arguments(parser)
    parser.add_argument("--period", metavar="YYYY-MM", help="default: the newest period")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one static page instead of printing"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.allocation.split import read_split
    from anchor_autopatch.job.spend.published import read_budgets

    home = homes_of(args)[0]
    split = read_split(home, args.period)
    budgets = read_budgets(home, split.period)
    if args.html:
        _write_page(split, args.html)
    elif args.json:
        print_json({**_as_dict(split), "budgets": [each._asdict() for each in budgets]})
    else:
        _print(split, budgets)
    return CLEAN


def _write_page(split: Split, path: Path) -> None:
    from anchor_autopatch.cli.report.page import render

    page = render(split, [(bill, _title(bill), _proof(bill)) for bill in split.bills], _BADGES)
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise StoreError(f"Cannot write {str(path)!r}: {error.strerror}") from error
    print(f"Wrote {path}")


def _print(split: Split, budgets: Sequence[BudgetRow]) -> None:
    from anchor_autopatch.cli.report.budgets import print_budgets

    if split.period is None:
        print("No receipts yet: nothing was captured; anchor doctor says why.")
        return
    for place, bill in enumerate(split.bills):
        if place:
            print()
        _print_bill(bill)
    print_budgets(split.period, budgets, _BADGES)
    print(f"\nPublished {split.published_at:%Y-%m-%d %H:%M} UTC.", end="")
    others = [period for period in split.periods if period != split.period]
    print(f" Other periods: {', '.join(others)}." if others else "")


def _print_bill(bill: Bill) -> None:
    from anchor_autopatch.cli.amounts import estimate, money

    print_table(
        _title(bill),
        _COLUMNS,
        (
            (
                share.team,
                share.service,
                share.environment,
                share.response_model,
                share.calls,
                estimate(share.estimated_cost_usd),
                money(share.anchored_cost, bill.currency),
                _BADGES.get(share.status, share.status),
            )
            for share in bill.shares
        ),
        right=("calls", "estimated USD", "anchored"),
    )
    print(_proof(bill))


def _title(bill: Bill) -> str:
    account = f" account {bill.account}" if bill.account else ""
    invoice = f"invoice {bill.invoice_id}" if bill.invoice_id else "not invoiced yet"
    return f"{bill.provider}{account} {bill.period}, {invoice}"


def _proof(bill: Bill) -> str:
    from anchor_autopatch.cli.amounts import estimate, money

    # A total of 0 where no model has a price is no estimate: missing is not zero.
    priced = any(share.estimated_cost_usd is not None for share in bill.shares)
    estimated = (
        f"estimated {estimate(bill.estimated_total_usd)} USD" if priced else "no price known"
    )
    if bill.invoice_total is None:
        return f"  {estimated}; no invoice to anchor to yet"
    total, found = money(bill.invoice_total, bill.currency), money(bill.split_sum, bill.currency)
    sign = "=" if bill.holds else "DIFFERS FROM"
    return f"  sum {sign} invoice: {found} {sign} {total} {bill.currency} ({estimated})"


def _as_dict(split: Split) -> dict[str, object]:
    bills = [
        {
            **bill._asdict(),
            "holds": bill.holds,
            "shares": [share._asdict() for share in bill.shares],
        }
        for bill in split.bills
    ]
    return {**split._asdict(), "bills": bills}
