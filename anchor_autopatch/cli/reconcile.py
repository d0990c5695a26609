"""`anchor reconcile`: the cron line, from outboxes to the published report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.archive import archived_as_dict, archived_line
from anchor_autopatch.cli.jobs import add_job_arguments, config_of, homes_of, only_job
from anchor_autopatch.cli.output import print_json, print_table, progress
from anchor_autopatch.cli.prices.starts import starts_as_dict
from anchor_autopatch.cli.ship import as_dict, shipped_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from anchor_autopatch.job.reconcile import ReconcileReport


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `reconcile`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="Ships, measures, prices, anchors every open period to its invoices and "
        "publishes report.duckdb. Run it as often as you like: the result is the same. "
        "Exit code 1 means done, with findings that need a person.",
        epilog="example, as a cron line: 7 * * * * anchor reconcile",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.clock import utc_now
    from anchor_autopatch.job.reconcile import STEPS, reconcile

    homes = homes_of(args)
    config = config_of(homes[0])
    with only_job(homes[0]) as mine:
        if not mine:
            return CLEAN
        with progress("Reconciling", total=STEPS) as advance:
            report = reconcile(homes, utc_now(), config, advance=advance)
    if args.json:
        print_json(_as_dict(report))
    else:
        _print(report, homes)
    return FINDINGS if report.findings else CLEAN


def _print(report: ReconcileReport, homes: Sequence[Path]) -> None:
    if report.receipts == 0:
        print(
            f"No receipts in {str(homes[0])!r} yet: nothing was captured; anchor doctor says why."
        )
    print(shipped_line(report.shipped, homes))
    print(_priced_line(report))
    if report.invoices:
        _print_invoices(report)
    if report.archived.files:
        print(archived_line(report.archived))
    print(f"Published {report.report_path}")
    for finding in report.findings:
        print(f"! {finding}")


def _priced_line(report: ReconcileReport) -> str:
    card = "new" if report.rates.is_new else "known"
    statuses = report.priced.statuses
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    return (
        f"Measured {report.measured.measured_count} receipts; looked at the price of "
        f"{report.priced.receipt_count} ({counts or 'nothing new'}); rate card of litellm "
        f"{report.rates.source_version} ({card}){_starts(report)}."
    )


def _starts(report: ReconcileReport) -> str:
    starts = report.starts
    return f", {len(starts.starts)} start dates by genai-prices" if starts else ""


def _print_invoices(report: ReconcileReport) -> None:
    from anchor_autopatch.cli.amounts import money

    print_table(
        "Invoices of open periods",
        ("period", "provider", "account", "invoice", "invoiced", "split", "currency", "proof"),
        (
            (
                check.period,
                check.provider,
                check.account,
                check.invoice_id,
                money(check.total, check.currency),
                money(check.split_sum, check.currency),
                check.currency,
                "sum = invoice" if check.holds else "DIFFERS",
            )
            for check in report.invoices
        ),
        right=("invoiced", "split"),
    )


def _as_dict(report: ReconcileReport) -> dict[str, object]:
    return {
        "receipts": report.receipts,
        "shipped": as_dict(report.shipped),
        "incidents": report.incidents._asdict(),
        "settled": report.settled._asdict(),
        "rates": report.rates._asdict(),
        "starts": starts_as_dict(report.starts) if report.starts else None,
        "measured": report.measured._asdict(),
        "priced": report.priced._asdict(),
        "judged": report.judged._asdict(),
        "reconciliation": [row._asdict() for row in report.allocated.rows],
        "invoices": [{**check._asdict(), "holds": check.holds} for check in report.invoices],
        "archived": archived_as_dict(report.archived),
        "report": str(report.report_path),
        "findings": list(report.findings),
    }
