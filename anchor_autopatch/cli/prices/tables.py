"""The part of `anchor prices` that takes price tables over, or compares them first."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anchor_autopatch.cli.jobs import config_of, homes_of
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.cli.prices.against import add_against_arguments, run_against
from anchor_autopatch.cli.prices.starts import (
    add_starts_argument,
    print_starts,
    starts_as_dict,
)
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job import rates
from anchor_autopatch.job.allocation.accounts import text_table
from anchor_autopatch.job.clock import utc_now
from anchor_autopatch.job.pricing import proposals
from anchor_autopatch.job.pricing.preview import Preview, preview
from anchor_autopatch.job.rates.source import read_file, read_installed
from anchor_autopatch.job.warehouse import open_warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from anchor_autopatch.job.pricing import Proposal
    from anchor_autopatch.job.rates import SyncReport
    from anchor_autopatch.job.rates.source import PriceTable

_LOOKED_AT: Final = timedelta(days=30)
_SHA256 = 64


def add_source_arguments(
    parser: argparse.ArgumentParser,
) -> argparse._MutuallyExclusiveGroup:
    """Adds where the table comes from, and the digest that it must have; returns the sources."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--file", type=Path, metavar="FILE", help="a table in LiteLLM's format, plain or gzipped"
    )
    source.add_argument("--url", metavar="URL", help="the same, fetched if it changed")
    parser.add_argument(
        "--sha256", type=_digest, metavar="HEX", help="take nothing but the table with this digest"
    )
    return source


def add_sync_arguments(parser: argparse.ArgumentParser, day: Callable[[str], datetime]) -> None:
    """Adds the arguments of `anchor prices sync`."""
    add_source_arguments(parser)
    parser.add_argument(
        "--seen",
        type=day,
        metavar="YYYY-MM-DD",
        help="with --file: the day from which its rates were known, UTC; default: now",
    )
    add_starts_argument(parser)
    parser.set_defaults(run=run_sync)


def add_diff_arguments(parser: argparse.ArgumentParser, day: Callable[[str], datetime]) -> None:
    """Adds the arguments of `anchor prices diff`."""
    add_against_arguments(add_source_arguments(parser), parser)
    parser.add_argument(
        "--since",
        type=day,
        metavar="YYYY-MM-DD",
        help="first day of the receipts to compare, UTC; default: 30 days ago",
    )
    parser.set_defaults(run=run_diff)


def run_sync(args: argparse.Namespace) -> int:
    """`anchor prices sync`: takes a table over and says what was learnt."""
    now = utc_now()
    if args.seen and not args.file:
        # What litellm or a URL has now is seen now: nobody can say that it was the same before.
        raise ConfigError("--seen says since when the rates of a --file were known; add --file")
    seen = args.seen.replace(tzinfo=UTC) if args.seen else now
    with open_warehouse(homes_of(args)[0]) as con:
        table = _table(args, con, now)
        report = rates.sync_table(con, table, observed_at=seen, now=now) if table else None
        starts = rates.take_starts(con, now) if args.starts_from else None
        used = rates.used_models(con) if starts else set()
    if args.json:
        told = report._asdict() if report else {"is_new": False}
        print_json({**told, "starts": starts_as_dict(starts)} if starts else told)
    else:
        _print_synced(args, report)
        if starts:
            print_starts(starts, used)
    return 0


def _print_synced(args: argparse.Namespace, report: SyncReport | None) -> None:
    if report is None:
        print(f"{args.url}: nothing new since it was fetched last")
    elif report.is_new:
        print(
            f"{table_name(args)} {report.source_version}: {report.model_count} models, "
            f"card {report.rate_card_id[:12]}; "
            f"{report.new_models} new, {report.changed_models} changed"
        )
    else:
        card = report.rate_card_id[:12]
        print(f"{table_name(args)} {report.source_version}: nothing new, card {card}")


def run_diff(args: argparse.Namespace) -> int:
    """`anchor prices diff`: what a table would change in money; 1 when it changes any."""
    if args.against:
        return run_against(args)
    now = utc_now()
    since = args.since or (now - _LOOKED_AT).replace(tzinfo=None)
    with open_warehouse(homes_of(args)[0]) as con:
        table = _table(args, con, now, always=True)
        if table is None:
            raise ConfigError(f"{args.url!r} has no table to compare with")
        found = preview(con, table, since=since, now=now, models=own_models(args))
        closed = proposals(con)
    if args.json:
        _print_json(found, closed)
    else:
        _print(args, since, found, closed)
    return 1 if found.changes or closed else 0


def own_models(args: argparse.Namespace) -> dict[str, str]:
    """`[models]` of the home's anchor.toml."""
    return text_table(config_of(homes_of(args)[0]), "models")


def table_name(args: argparse.Namespace) -> str:
    """How to call the table that was asked for."""
    return "file" if args.file else "url" if args.url else "litellm"


def _table(
    args: argparse.Namespace, con: duckdb.DuckDBPyConnection, now: datetime, *, always: bool = False
) -> PriceTable | None:
    """The table that was asked for; None when its URL has nothing new, unless `always`."""
    if args.url:
        from anchor_autopatch.job.rates.remote import fetch_table

        return fetch_table(con, args.url, args.sha256, None if always else now)
    if args.file:
        return read_file(args.file, args.sha256)
    table = read_installed()
    if args.sha256 and args.sha256 != table.content_sha256:
        raise ConfigError(
            f"The table of the installed litellm {table.version} has the SHA-256 "
            f"{table.content_sha256}, expected {args.sha256}"
        )
    return table


def _print(
    args: argparse.Namespace, since: datetime, found: Preview, closed: list[Proposal]
) -> None:
    about = (
        f"{table_name(args)} {found.source_version}, {found.receipt_count} receipts since "
        f"{since.date()}, USD"
    )
    if found.changes:
        _print_changes(about, found)
    else:
        print(f"{about}: no price changes.")
    print(
        f"All together {found.before_usd:.2f} now, {found.after_usd:.2f} with it "
        f"({found.after_usd - found.before_usd:+.2f})"
    )
    for proposal in closed:
        print(
            f"Frozen {proposal.period}: {proposal.receipt_count} receipts of {proposal.provider} "
            f"{proposal.model_key} stay at {proposal.frozen_usd:.4f}; by what is known now "
            f"{proposal.proposed_usd:.4f} ({proposal.difference_usd:+.4f})"
        )


def _print_changes(about: str, found: Preview) -> None:
    print_table(
        about,
        ("provider", "model", "receipts", "now", "with it", "difference", "first priced"),
        [
            (
                change.provider,
                change.model,
                change.receipt_count,
                f"{change.before_usd:.4f}",
                f"{change.after_usd:.4f}",
                f"{change.difference_usd:+.4f}",
                change.newly_priced or "-",
            )
            for change in found.changes
        ],
        right=("receipts", "now", "with it", "difference", "first priced"),
    )


def _print_json(found: Preview, closed: list[Proposal]) -> None:
    print_json(
        {
            **found._asdict(),
            "changes": [
                {**change._asdict(), "difference_usd": change.difference_usd}
                for change in found.changes
            ],
            "frozen": [
                {**proposal._asdict(), "difference_usd": proposal.difference_usd}
                for proposal in closed
            ],
        }
    )


def _digest(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != _SHA256 or not set(lowered) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(f"{text!r} is no SHA-256; expected 64 hex digits")
    return lowered
