"""`anchor export focus | csv | parquet | journal`: what other tools read."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN
from anchor_autopatch.cli.jobs import add_job_arguments, homes_of, in_warehouse
from anchor_autopatch.cli.output import print_json, progress
from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_STDOUT = "-"
_SUFFIXES = {".csv": "csv", ".parquet": "parquet"}


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand and its actions."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog="example: anchor export focus --period 2026-10 --output focus-2026-10.csv",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_focus(actions)
    for kind in ("csv", "parquet"):
        _add_relation(actions, kind)
    _add_journal(actions)


def _add_focus(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "focus",
        help="write the split of the bills as FOCUS, CSV or Parquet",
        description="Writes the published split in the columns of FOCUS 1.2 with the allocation "
        "columns of 1.3; own columns begin with x_. The rows of an invoice sum to it. What is not "
        "invoiced yet is in it as an estimate, without InvoiceId.",
        epilog="example: anchor export focus --period 2026-10 --output focus-2026-10.csv",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="its suffix names the format: .csv or .parquet",
    )
    parser.add_argument("--period", metavar="YYYY-MM", help="month of the bills; default: all")
    parser.add_argument(
        "--billed-only", action="store_true", help="leave out what is not invoiced yet"
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run_focus)


def _add_relation(actions: argparse._SubParsersAction[argparse.ArgumentParser], kind: str) -> None:
    name = {"csv": "CSV", "parquet": "Parquet"}[kind]
    parser = actions.add_parser(
        kind,
        help=f"write a relation of report.duckdb as {name}",
        description=f"Writes a relation of report.duckdb as {name}: app_costs, receipts and so on; "
        "docs/report.md lists them. Instants are UTC.",
        epilog=f"example: anchor export {kind} app_costs --period 2026-10 --output costs.{kind}",
    )
    parser.add_argument("relation", metavar="RELATION")
    _add_output(parser)
    parser.add_argument("--period", metavar="YYYY-MM", help="default: all rows")
    add_job_arguments(parser)
    parser.set_defaults(run=_run_relation, kind=kind)


def _add_journal(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "journal",
        help="write the ledger's bookings as CSV, for an ERP",
        description="Writes what is booked in chargeback periods: debit and credit apart, each "
        "transaction balanced. The same as anchor close journal, into a file.",
        epilog="example: anchor export journal --period 2026-10 --output journal-2026-10.csv",
    )
    _add_output(parser)
    parser.add_argument("--period", metavar="YYYY-MM", help="month of booking; default: all")
    parser.add_argument(
        "--with-showback", action="store_true", help="bookings for information, too"
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run_journal)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="replaced when all is written; - prints the rows and nothing else",
    )


def _run_relation(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.relations import export_relation

    home = homes_of(args)[0]
    with _written_to(args) as path, progress("writing") as advance:
        rows = export_relation(home, args.relation, path, kind=args.kind, period=args.period)
        advance()
    _print_written(args, rows)
    return CLEAN


@contextmanager
def _written_to(args: argparse.Namespace) -> Iterator[Path]:
    """Yields the file to write; what is in it after the block goes to stdout for `-`."""
    if str(args.output) != _STDOUT:
        yield args.output
        return
    # By way of a file: DuckDB writes to paths, and what fails halfway prints nothing.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        yield path
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def _run_journal(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.close.ledger import journal
    from anchor_autopatch.job.placing import placed

    text = in_warehouse(
        args, lambda con: journal(con, args.period, with_showback=args.with_showback)
    )
    with _written_to(args) as path, placed(path) as made:
        made.write_text(text, "utf-8")
    _print_written(args, text.count("\n") - 1)
    return CLEAN


def _print_written(args: argparse.Namespace, rows: int) -> None:
    if str(args.output) == _STDOUT:
        return
    if args.json:
        print_json({"output": str(args.output), "rows": rows})
    else:
        print(f"{args.output}: rows: {rows}")


def _run_focus(args: argparse.Namespace) -> int:
    from anchor_autopatch.cli.amounts import money
    from anchor_autopatch.job.focus import export_focus

    kind = _SUFFIXES.get(args.output.suffix.lower())
    if kind is None:
        raise ConfigError(
            f"Cannot tell the format of {str(args.output)!r}; name it .csv or .parquet"
        )
    with progress("checking and writing") as advance:
        exported = export_focus(
            homes_of(args)[0],
            args.output,
            kind=kind,
            period=args.period,
            billed_only=args.billed_only,
        )
        advance()
    if args.json:
        print_json([entry._asdict() for entry in exported])
        return CLEAN
    for entry in exported:
        billed = money(entry.billed_cost, entry.currency)
        print(f"{args.output}: rows: {entry.rows}, sum {billed} {entry.currency}")
    return CLEAN
