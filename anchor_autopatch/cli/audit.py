"""`anchor audit`: would this charge stand up, field by field, and how often does something lack."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anchor_autopatch.cli import CLEAN, FINDINGS
from anchor_autopatch.cli.jobs import add_job_arguments, homes_of
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import ConfigError, StoreError
from anchor_autopatch.core.settings import REPORT_FILE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.job.audit import Audit, Found, ServiceFields

_SHOWN_WHOLE = 5
"""Up to so many receipts are shown field by field, more in one line each."""


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds `anchor audit`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description="Says of the receipts that an id or a line of a gateway's log is about whether "
        "identity, usage and price are proven, field by field, with what mends the rest. With "
        "--all: how many receipts of each service lack a field, and the change since the period "
        "before. Exit code 1 when something is missing.",
        epilog="example: tail -n 1 gateway.log | anchor audit -",
    )
    parser.add_argument(
        "what",
        nargs="?",
        metavar="ID|LINE",
        help="receipt id, trace id, request id, the provider's id, or a log line; - reads stdin",
    )
    parser.add_argument("--all", action="store_true", help="all receipts of a period, by service")
    parser.add_argument("--period", metavar="YYYY-MM", help="with --all; default: the newest")
    add_job_arguments(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.all == (args.what is not None):
        raise ConfigError("Say what to audit: an id or a log line, or --all")
    with _report(homes_of(args)[0]) as con:
        return _all(con, args) if args.all else _some(con, args)


@contextmanager
def _report(home: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb

    path = home / REPORT_FILE
    if not path.exists():
        raise StoreError(f"No report at {str(path)!r} yet; run: anchor reconcile")
    try:
        with duckdb.connect(str(path), read_only=True) as con:
            yield con
    except duckdb.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise StoreError(f"Cannot read {str(path)!r}: {reason}; run: anchor reconcile") from error


def _some(con: DuckDBPyConnection, args: argparse.Namespace) -> int:
    from anchor_autopatch.job.audit import audit_evidence, find_receipts

    text = sys.stdin.read() if args.what == "-" else args.what
    lines = [line for line in text.splitlines() if line.strip()] or [text]
    results = [(line, find_receipts(con, line)) for line in lines]
    audits = [[audit_evidence(seen) for seen in found.receipts] for _, found in results]
    if args.json:
        print_json(
            [_as_dict(found, some) for (_, found), some in zip(results, audits, strict=True)]
        )
    else:
        for (line, found), some in zip(results, audits, strict=True):
            _print(line, found, some)
    # A line that no receipt belongs to is a finding too: that call may have cost money unseen.
    proven = all(some and all(audit.is_defensible for audit in some) for some in audits)
    return CLEAN if proven else FINDINGS


def _print(line: str, found: Found, audits: list[Audit]) -> None:
    if not audits:
        shown = line if len(line) <= 60 else f"{line[:57]}..."  # noqa: PLR2004 - a screen's width
        print(
            f"No receipt is known by anything in {shown!r}. Was its host listed under [outbound] "
            "gateways, was the hook on (anchor doctor), is it shipped (anchor reconcile)?"
        )
        return
    print(f"Found {len(audits)} by {found.kind}.")
    if len(audits) > _SHOWN_WHOLE:
        rows = [
            (a.evidence.receipt_id, a.evidence.team, a.evidence.service, a.verdict) for a in audits
        ]
        print_table("Receipts", ("receipt", "team", "service", "verdict"), rows)
        return
    for audit in audits:
        seen = audit.evidence
        title = f"{seen.receipt_id}  {seen.occurred_at:%Y-%m-%d %H:%M:%S} UTC  {seen.model or '-'}"
        columns = ("proves", "field", "value", "from", "verdict", "mend")
        print_table(title, columns, audit.checks)
        print(f"  {audit.verdict}")


def _as_dict(found: Found, audits: list[Audit]) -> dict[str, object]:
    return {
        "found_by": found.kind,
        "receipts": [
            {
                **audit.evidence._asdict(),
                "verdict": audit.verdict,
                "defensible": audit.is_defensible,
                "checks": [check._asdict() for check in audit.checks],
            }
            for audit in audits
        ],
    }


def _all(con: DuckDBPyConnection, args: argparse.Namespace) -> int:
    from anchor_autopatch.job.audit import FIELDS, missing_fields

    period, services = missing_fields(con, args.period)
    if args.json:
        print_json({"period": period, "services": [_service(each) for each in services]})
    else:
        rows = [
            (each.service, each.receipts, *(_cell(each, field) for field in FIELDS))
            for each in services
        ]
        print_table(
            f"Receipts of {period} that lack a field, in %, and the change in points since the "
            "period before",
            ("service", "receipts", *FIELDS),
            rows,
            right=("receipts", *FIELDS),
        )
    return FINDINGS if any(each.needs_person for each in services) else CLEAN


def _cell(each: ServiceFields, field: str) -> str:
    rate, trend = each.permille(field), each.trend(field)
    change = "" if trend is None else f" ({'+' if trend > 0 else ''}{_tenths(trend)})"
    return f"{_tenths(rate)}{change}"


def _tenths(permille: int) -> str:
    sign = "-" if permille < 0 else ""
    return f"{sign}{abs(permille) // 10}.{abs(permille) % 10}"


def _service(each: ServiceFields) -> dict[str, object]:
    from anchor_autopatch.job.audit import FIELDS

    return {
        "service": each.service,
        "receipts": each.receipts,
        "missing": dict(each.missing),
        "missing_permille": {field: each.permille(field) for field in FIELDS},
        "change_permille": {field: each.trend(field) for field in FIELDS},
    }
