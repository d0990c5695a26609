"""The close: chains unbroken, the ledger balanced, statements and frozen periods as they were."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import duckdb

from anchor_autopatch.job.chain import CLOSE_EVENTS, LEDGER, breaks, head
from anchor_autopatch.job.close.proposals import changes_of, proposals
from anchor_autopatch.job.close.proposals import digest_of as digest_of_changes
from anchor_autopatch.job.close.sealing import compare, digest_of_file, seal_path
from anchor_autopatch.job.close.statements import digest_of, kept, manifest_name
from anchor_autopatch.job.findings import money
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import SHOWN_FAULTS, Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def check_ledger(con: duckdb.DuckDBPyConnection) -> Link:
    """Events, entries and proposals are as they were written; each transaction sums to zero."""
    faults = [*breaks(con, CLOSE_EVENTS), *breaks(con, LEDGER)]
    rows = con.execute(load("ledger")["unbalanced"]).fetchmany(SHOWN_FAULTS)
    faults += [f"transaction {txn} sums to {money(amount)} {name}" for txn, name, amount in rows]
    faults += [
        f"correction {each.correction_id} is not as it was proposed"
        for each in proposals(con)
        if digest_of_changes(changes_of(con, each.correction_id)) != each.digest
    ]
    events, entries = head(con, CLOSE_EVENTS), head(con, LEDGER)
    proven = (
        f"{events.row_count} events of the close and {entries.row_count} ledger entries are as "
        "they were written; each transaction sums to zero"
    )
    return Link("ledger", proven, tuple(faults))


def check_closed(con: duckdb.DuckDBPyConnection, home: Path) -> Link:
    """Statements are what was signed, frozen periods what was sealed, row by row."""
    versions = con.execute(load("close")["frozen_versions"]).fetchall()
    faults: list[str] = []
    for period, version, digest, detail, is_current in versions:
        told = _told(detail)
        faults += _statement_faults(con, (period, version), digest, told.get("statements", {}))
        faults += _seal_faults(con, home, (period, version), told, is_current)
    proven = f"{len(versions)} frozen periods and their statements are as they were signed"
    return Link("closed periods", proven, tuple(faults))


def _told(detail: str) -> dict[str, Any]:
    """What a freeze vouches for; {} where its event was changed, which the chain names."""
    try:
        told = json.loads(detail)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _statement_faults(
    con: duckdb.DuckDBPyConnection,
    sealed: tuple[str, int],
    digest: str,
    signed: Mapping[str, str],
) -> Iterator[str]:
    """Args: `signed` is SHA-256 by statement, {} where the month was frozen before it was noted."""
    made, period = kept(con, *sealed), sealed[0]
    for each in made:
        name = f"statement {period} of {manifest_name(each)}"
        if sha256(each.body.encode()).hexdigest() != each.sha256:
            yield f"{name} is not as it was signed"
        elif signed and signed.get(manifest_name(each)) != each.sha256:
            yield f"{name} was not signed"
    for missing in sorted(signed.keys() - {manifest_name(each) for each in made}):
        yield f"statement {period} of {missing} was signed and is not there"
    if digest_of(made) != digest:
        yield f"the statements of {period} are not those that were signed as {digest}"


def _seal_faults(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    sealed: tuple[str, int],
    detail: Mapping[str, Any],
    is_current: bool,
) -> Iterator[str]:
    path = seal_path(home, *sealed)
    try:
        if digest_of_file(path) != detail.get("seal_sha256"):
            yield f"{str(path)!r} is not the file that period {sealed[0]} was sealed in"
        # What was restated is no longer in the warehouse: its file alone remains.
        if is_current:
            for found in compare(con, home, *sealed):
                yield f"period {sealed[0]}, {found.relation}: {_SIDES[found.side]}: {found.row}"
    except (OSError, duckdb.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        yield f"period {sealed[0]} is sealed in {str(path)!r}, which cannot be read: {reason}"


_SIDES = {
    "sealed": "this row was sealed and is not there",
    "warehouse": "this row was not sealed",
    "unproven": "the seal of this row cannot be read",
}
