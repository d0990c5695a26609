"""`anchor verify`: proves the whole chain again, from the outboxes to the published report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_job_arguments, homes_of, only_job
from anchor_autopatch.cli.output import print_json, print_table, progress
from anchor_autopatch.core.errors import StoreError

if TYPE_CHECKING:
    import argparse

    from anchor_autopatch.job.verify import VerifyReport


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds the subcommand `verify`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="Works every checksum, digest and sum out anew: outboxes, shipments, meters, "
        "rates, prices, documents, invoices, split, report. Names the first thing that is off. "
        "Writes nothing.",
        epilog="example: anchor verify --json",
    )
    add_job_arguments(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from anchor_autopatch.job.verify import STEPS, verify
    from anchor_autopatch.job.warehouse import open_warehouse

    homes = homes_of(args)
    for home in homes:
        # Made anew, a mistyped home would be empty, and all of it would hold.
        if not home.is_dir():
            raise StoreError(f"No home at {str(home)!r}: name the folder that ANCHOR_HOME names")
    with only_job(homes[0]) as mine:
        if not mine:
            return CLEAN
        with open_warehouse(homes[0]) as con, progress("Verifying", total=STEPS) as advance:
            report = verify(con, homes, advance=advance)
    print_json(_as_dict(report)) if args.json else _print(report)
    return FINDINGS if report.first_fault else CLEAN


def _print(report: VerifyReport) -> None:
    print_table(
        "The chain, in the order of the data's way",
        ("link", "verdict", "what was found"),
        (
            (
                link.name,
                "holds" if link.holds else "OFF",
                link.proven if link.holds else f"{len(link.faults)} faults, named below",
            )
            for link in report.links
        ),
    )
    if report.first_fault is None:
        print("All of it holds.")
        return
    print(f"First thing that is off: {report.first_fault}")
    for link in report.links:
        for fault in link.faults:
            print(f"! {link.name}: {fault}")


def _as_dict(report: VerifyReport) -> dict[str, object]:
    return {
        "holds": report.first_fault is None,
        "first_fault": report.first_fault,
        "links": [{**link._asdict(), "holds": link.holds} for link in report.links],
    }
