"""The part of `anchor prices` that tells since when prices of the list really held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.cli.output import print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from anchor_autopatch.job.rates import StartsReport


def add_starts_argument(parser: argparse.ArgumentParser) -> None:
    """Adds --starts-from."""
    parser.add_argument(
        "--starts-from",
        choices=("genai-prices",),
        help="also date changes of the list that began before it showed them, by that package",
    )


def starts_as_dict(report: StartsReport) -> dict[str, object]:
    """The whole report, for JSON."""
    return {
        **report._asdict(),
        "starts": [start._asdict() for start in report.starts],
        "unused": [start._asdict() for start in report.unused],
    }


def print_starts(report: StartsReport, used: Collection[str]) -> None:
    """Prints every date that counts; of those that price nothing, the ones of models in `used`."""
    about = f"genai-prices {report.source_version}"
    print(
        f"{about}: changes that began before the list showed them: {len(report.starts)} "
        f"({report.new_count} new, {report.ended_count} no longer)"
    )
    if report.starts:
        print_table(
            "Since when they hold, UTC",
            ("model", "began", "seen", "there called"),
            [
                (start.model_key, start.starts_at.date(), start.seen_at.date(), start.model_id)
                for start in report.starts
            ],
        )
    own = [start for start in report.unused if start.model_key in used]
    if own:
        print_table(
            "Dates that price nothing, since the list has no such change",
            ("model", "began", "why not"),
            [(start.model_key, start.starts_on, start.reason) for start in own],
        )
    others = len(report.unused) - len(own)
    if others:
        print(f"Such dates of models that no receipt here was priced by: {others}")
