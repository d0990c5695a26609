"""`anchor export focus`: the split of the bills in the format that FinOps tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN
from anchor_autopatch.cli.jobs import add_job_arguments, homes_of
from anchor_autopatch.cli.output import print_json
from anchor_autopatch.core.errors import ConfigError

if TYPE_CHECKING:
    import argparse

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


def _run_focus(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.focus import export_focus

    kind = _SUFFIXES.get(args.output.suffix.lower())
    if kind is None:
        raise ConfigError(
            f"Cannot tell the format of {str(args.output)!r}; name it .csv or .parquet"
        )
    exported = export_focus(
        homes_of(args)[0],
        args.output,
        kind=kind,
        period=args.period,
        billed_only=args.billed_only,
    )
    if args.json:
        print_json([entry._asdict() for entry in exported])
        return CLEAN
    for entry in exported:
        print(f"{args.output}: rows: {entry.rows}, sum {entry.billed_cost:f} {entry.currency}")
    return CLEAN
