"""`anchor invoices import | pull | add | list | rate`: what the providers ask for."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, COULD_NOT_RUN, FINDINGS
from anchor_autopatch.cli.invoices.rates import add_rate
from anchor_autopatch.cli.jobs import add_job_arguments, config_of, homes_of
from anchor_autopatch.cli.output import print_json, print_table, progress

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from anchor_autopatch.job.invoices.importing import Entry

_FORMATS = (
    "auto",
    "openai-usage",
    "openai-costs",
    "anthropic-usage",
    "anthropic-analytics",
    "anthropic-cost",
    "xai-invoice",
    "xai-usage",
    "openrouter",
    "gcp-billing",
    "aws-cur",
    "azure-cost",
    "focus",
    "litellm-spend",
    "csv",
)
"""As `job.invoices.FORMATS`, whose import needs duckdb: too early for `--help`."""


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand and its actions."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog="example: anchor invoices import openai-october.json gemini-october.csv",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_import(actions)
    _add_pull(actions)
    _add_add(actions)
    _add_list(actions)
    add_rate(actions)


def _add_import(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "import",
        help="read invoice files: all of them, or none when one has errors",
        description="Reads invoice files of the formats below, told by their content: JSON, CSV or "
        "Parquet, gzip or not. All are imported, or none when one has errors. Importing twice "
        "changes nothing. docs/invoices.md says where to get each.",
        epilog="example: anchor invoices import openai-october.json --account acme-prod",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--format", choices=_FORMATS, default="auto", help="default: told by the content"
    )
    parser.add_argument("--provider", help="who invoices, for files that do not say")
    parser.add_argument("--account", default="", help="billing account, for files that do not say")
    parser.add_argument(
        "--period",
        metavar="YYYY-MM",
        help="refuse files that hold another month, or lack days of this one",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="take a reissued invoice, or an older export again, in place of the present one",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run_import)


def _add_pull(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "pull",
        help="fetch costs and usage from the providers' billing APIs",
        description="Fetches cost and usage reports of openai, anthropic, xai and openrouter, of "
        "last month and of this one up to yesterday, and books them as import would. Keys: "
        "OPENAI_ADMIN_KEY, ANTHROPIC_ADMIN_KEY, XAI_MANAGEMENT_KEY (with XAI_TEAM_ID) and "
        "OPENROUTER_MANAGEMENT_KEY. A pull that broke off goes on where it stopped.",
        epilog="example: anchor invoices pull openai anthropic --period 2026-10",
    )
    parser.add_argument(
        "providers", nargs="*", metavar="PROVIDER", help="default: each that has a key"
    )
    parser.add_argument("--period", metavar="YYYY-MM", help="one month instead of the open ones")
    add_job_arguments(parser)
    parser.set_defaults(run=_run_pull)


def _add_add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "add",
        help="type the total of an invoice",
        description="Books the total of an invoice. It outranks imported lines of the same "
        "provider, account and period; they become its breakdown.",
        epilog="example: anchor invoices add --provider openai --period 2026-10 --total 18200.00 "
        "--currency USD --document invoice.pdf",
    )
    parser.add_argument("--provider", required=True, help="in LiteLLM's names, such as openai")
    parser.add_argument("--period", required=True, help="YYYY-MM")
    parser.add_argument("--total", required=True, help="payable amount, such as 18200.00")
    parser.add_argument("--currency", required=True, help="ISO 4217, such as USD")
    parser.add_argument("--account", default="", help="billing account, where there are several")
    parser.add_argument("--invoice", metavar="NUMBER", help="number on the invoice")
    parser.add_argument(
        "--document", type=Path, metavar="FILE", help="the invoice, kept as evidence"
    )
    parser.add_argument(
        "--replace", action="store_true", help="take this total in place of the one typed before"
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run_add)


def _add_list(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "list",
        help="show the invoices in force",
        description="Shows the invoices in force, by period and provider. `control` marks the "
        "total that the split must sum to, `lines` the one whose lines break it down.",
        epilog="example: anchor invoices list --json",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run_list)


def _run_import(args: Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.invoices import import_files
    from anchor_autopatch.job.warehouse import open_warehouse

    home = homes_of(args)[0]
    files = len(args.files)
    with open_warehouse(home) as con, progress("reading invoices", files) as advance:
        booked = import_files(
            con,
            args.files,
            utc_now(),
            source=args.format,
            provider=args.provider,
            account=args.account,
            replace=args.replace,
            home=home,
            period=args.period,
            advance=advance,
        )
    _print_booked(booked, args)
    return 0


def _run_pull(args: Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.invoices.pull import pull, read_targets, window_of
    from anchor_autopatch.job.warehouse import open_warehouse

    home, now = homes_of(args)[0], utc_now()
    targets = read_targets(config_of(home), os.environ, args.providers)
    # Not kept open while pages are fetched: that takes minutes, and the cron job needs the file.
    with open_warehouse(home) as con:
        window = window_of(con, now, args.period)
    with progress("fetching pages") as advance:
        pulled = pull(lambda: open_warehouse(home), home, targets, window, now, advance=advance)
    _print_booked([entry for account in pulled for entry in account.booked], args)
    failed = [account for account in pulled if account.problem]
    for account in failed:
        name = f"{account.provider} {account.account}".strip()
        print(f"anchor: {name}: {account.problem}", file=sys.stderr)
    if not failed:
        return CLEAN
    # One account that fails does not keep the others back; somebody has to look, all the same.
    return COULD_NOT_RUN if len(failed) == len(pulled) else FINDINGS


def _run_add(args: Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.invoices import TypedTotal, add_total
    from anchor_autopatch.job.warehouse import open_warehouse

    typed = TypedTotal(
        args.provider,
        args.period,
        args.total,
        args.currency,
        args.account,
        args.invoice,
        args.document,
    )
    with open_warehouse(homes_of(args)[0]) as con:
        booked = add_total(con, typed, utc_now(), replace=args.replace)
    _print_booked([booked], args)
    return 0


def _run_list(args: Namespace) -> int:
    from anchor_autopatch.job.invoices import list_invoices
    from anchor_autopatch.job.warehouse import open_warehouse

    with open_warehouse(homes_of(args)[0]) as con:
        listed = list_invoices(con)
    if args.json:
        print_json([invoice._asdict() for invoice in listed])
        return 0
    rows = [
        (
            invoice.period,
            invoice.provider,
            invoice.account or None,
            invoice.invoice_id,
            invoice.total,
            invoice.currency,
            invoice.lines,
            " ".join(_roles(invoice.is_control_total, invoice.is_breakdown)) or "superseded",
        )
        for invoice in listed
    ]
    columns = ("period", "provider", "account", "invoice", "total", "currency", "lines", "role")
    print_table("Invoices", columns, rows, right=("total", "lines"))
    return 0


def _roles(is_control_total: bool, is_breakdown: bool) -> list[str]:
    return ["control"] * is_control_total + ["lines"] * is_breakdown


def _print_booked(booked: Sequence[Entry], args: Namespace) -> None:
    if args.json:
        print_json([entry._asdict() for entry in booked])
        return
    for entry in booked:
        account = f" account {entry.account}" if entry.account else ""
        print(f"{entry.outcome}: {entry.provider}{account} {entry.period} {entry.detail}")
