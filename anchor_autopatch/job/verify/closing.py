"""The close: chains unbroken, the ledger balanced, statements and frozen periods as they were."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import duckdb

from anchor_autopatch.job.chain import CLOSE_EVENTS, LEDGER, breaks, head
from anchor_autopatch.job.close.proposals import changes_of, proposals
from anchor_autopatch.job.close.proposals import digest_of as digest_of_changes
from anchor_autopatch.job.close.sealing import compare, digest_of_file, seal_path
from anchor_autopatch.job.close.statements import digest_of, kept
from anchor_autopatch.job.findings import money
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.verify.link import SHOWN_FAULTS, Link

if TYPE_CHECKING:
    from collections.abc import Iterator
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
        faults += _statement_faults(con, period, version, digest)
        faults += _seal_faults(con, home, (period, version), json.loads(detail), is_current)
    proven = f"{len(versions)} frozen periods and their statements are as they were signed"
    return Link("closed periods", proven, tuple(faults))


def _statement_faults(
    con: duckdb.DuckDBPyConnection, period: str, version: int, digest: str
) -> Iterator[str]:
    made = kept(con, period, version)
    for each in made:
        if sha256(each.body.encode()).hexdigest() != each.sha256:
            whom = each.team or "all teams"
            yield f"statement {period} of {whom} ({each.format}) is not as it was signed"
    if digest_of(made) != digest:
        yield f"the statements of {period} are not those that were signed as {digest}"


def _seal_faults(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    sealed: tuple[str, int],
    detail: dict[str, object],
    is_current: bool,
) -> Iterator[str]:
    path = seal_path(home, *sealed)
    try:
        if digest_of_file(path) != detail["seal_sha256"]:
            yield f"{str(path)!r} is not the file that period {sealed[0]} was sealed in"
        # What was restated is no longer in the warehouse: its file alone remains.
        elif is_current:
            for found in compare(con, home, *sealed):
                where = (
                    "was sealed and is not there" if found.side == "sealed" else "was not sealed"
                )
                yield f"period {sealed[0]}, {found.relation}: this row {where}: {found.row}"
    except (OSError, duckdb.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        yield f"period {sealed[0]} is sealed in {str(path)!r}, which cannot be read: {reason}"
