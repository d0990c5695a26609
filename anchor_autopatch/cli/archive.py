"""`anchor archive` and `anchor purge`: what is old goes into Parquet files, and then away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_job_arguments, config_of, homes_of, only_job
from anchor_autopatch.cli.output import print_json, print_table, progress
from anchor_autopatch.core.settings import REPORT_FILE

if TYPE_CHECKING:
    import argparse
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from anchor_autopatch.job.archive import ArchiveReport, PurgeReport

_MEBIBYTE = 2**20


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `archive` or `purge`."""
    _PARSERS[name](commands, name, summary)


def _add_archive(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    parser = commands.add_parser(
        name,
        help=summary,
        description="Writes the receipts and exception events of each whole UTC day to Parquet "
        "files under archive/, whose digests `anchor verify` checks. Rows of a day that came late "
        "go into a further file. Removes nothing.",
        epilog="example: anchor archive --json",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_archive)


def _add_purge(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    parser = commands.add_parser(
        name,
        help=summary,
        description="Removes what is older than [retention] of anchor.toml says: receipts of "
        "closed periods and exception events that are archived, files in quarantine, files of the "
        "archive. What has no term is kept for ever. A purged outbox that comes back is known.",
        epilog="example: anchor purge --dry-run",
    )
    add_job_arguments(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would go, and why not"
    )
    parser.set_defaults(run=_purge)


_PARSERS = {"archive": _add_archive, "purge": _add_purge}


def _archive(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.archive import archive, read_retention
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.warehouse import open_warehouse

    home = homes_of(args)[0]
    retention = read_retention(config_of(home))
    with only_job(home) as mine:
        if not mine:
            return CLEAN
        with open_warehouse(home) as con, progress("Archiving") as advance:
            report = archive(con, home, utc_now(), retention=retention, advance=advance)
    print_json(archived_as_dict(report)) if args.json else _print_archive(report)
    return CLEAN


def _print_archive(report: ArchiveReport) -> None:
    if not report.files:
        print("Nothing to archive: every whole day is in the archive.")
        return
    print(archived_line(report))


def archived_line(report: ArchiveReport) -> str:
    """What was archived, of a report with files."""
    days = {file.day for file in report.files}
    return (
        f"Archived rows: {report.rows}, of days: {len(days)} ({min(days)} to {max(days)}), "
        f"in files: {len(report.files)}."
    )


def archived_as_dict(report: ArchiveReport) -> dict[str, object]:
    """The same for `--json`."""
    return {"rows": report.rows, "files": [file._asdict() for file in report.files]}


def _purge(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.archive import purge, read_retention
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.warehouse import open_warehouse

    home = homes_of(args)[0]
    retention = read_retention(config_of(home))
    with only_job(home) as mine:
        if not mine:
            return CLEAN
        with open_warehouse(home) as con:
            now = utc_now()
            report = purge(con, home, retention, now, dry_run=args.dry_run)
            _publish_anew(con, home, report, now)
    if args.json:
        print_json(_purge_as_dict(report, retention._asdict()))
    else:
        _print_purge(report, set_terms={key for key, days in retention._asdict().items() if days})
    return FINDINGS if report.kept else CLEAN


def _publish_anew(
    con: duckdb.DuckDBPyConnection, home: Path, report: PurgeReport, now: datetime
) -> None:
    """Makes the report anew: it holds rows that were purged, and reads files that are gone."""
    from anchor_autopatch.job.publish import publish
    from anchor_autopatch.job.settlement import overdue_after

    if report.is_dry_run or not report.going or not (home / REPORT_FILE).exists():
        return
    publish(con, home, now, overdue_after=overdue_after(config_of(home)))


def _print_purge(report: PurgeReport, *, set_terms: set[str]) -> None:
    if not set_terms:
        print("Nothing has a term, all is kept; set one under [retention] of anchor.toml.")
        return
    if not report.candidates:
        print("Nothing is past its term.")
        return
    verb = "would go" if report.is_dry_run else "gone"
    print_table(
        "What is past its term",
        ("kind", "what", "rows", "MiB", "verdict", "kept because"),
        (
            (
                found.kind,
                found.name,
                found.rows,
                None if found.byte_count is None else f"{found.byte_count / _MEBIBYTE:.1f}",
                verb if found.kept_because is None else "kept",
                found.kept_because,
            )
            for found in report.candidates
        ),
        right=("rows", "MiB"),
    )


def _purge_as_dict(report: PurgeReport, terms: dict[str, int | None]) -> dict[str, object]:
    return {
        "dry_run": report.is_dry_run,
        "retention": terms,
        "candidates": [found._asdict() for found in report.candidates],
    }
