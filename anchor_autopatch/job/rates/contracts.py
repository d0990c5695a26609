"""Contract and manual rates: entered by a person, with a reason; they outrank the list."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.rates.card import RateSheet, build_sheet
from anchor_autopatch.job.rates.store import insert_sheets, known_sheets
from anchor_autopatch.job.rates.terms import fields_of
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

OPEN_END: Final = datetime(9999, 12, 31)  # noqa: DTZ001 - the warehouse holds UTC without a zone


class ContractTerms(NamedTuple):
    """One contract: what it covers, its rates as typed, from when to when, and why."""

    model_key: str
    provider: str
    """'' = whoever invoices."""
    rates: Mapping[str, str]
    """Term of TERMS -> rate as typed: `2.50/1M`, `0.04`."""
    valid_from: datetime
    valid_to: datetime
    reason: str
    actor: str


class ContractReport(NamedTuple):
    """What `set_rate` did."""

    rate_card_id: str
    is_new: bool
    """False when the very same contract was there already."""
    replaced: int
    """Earlier contracts that end where this one begins."""


class _Overlap(NamedTuple):
    rate_card_id: str
    rate_sheet_id: object
    valid_from: datetime
    valid_to: datetime


def set_rate(
    con: duckdb.DuckDBPyConnection, terms: ContractTerms, *, replace: bool, now: datetime
) -> ContractReport:
    """Stores a contract; with `replace` it ends what it overlaps, in one transaction.

    Raises:
        ConfigError: no rate, an unreadable one, an empty period, no reason, or an overlap.
    """
    sheet = build_sheet(_as_fields(terms), units_with_tokens=True)
    _check(terms)
    card_id = _card_id(terms, sheet)
    scope = {"model_key": terms.model_key, "provider": terms.provider}
    period = {"valid_from": terms.valid_from, "valid_to": terms.valid_to}
    sql = load("pricing/rates")
    found = con.execute(sql["overlapping_contracts"], {**scope, **period}).fetchall()
    overlaps = [_Overlap(*row) for row in found]
    if [overlap.rate_card_id for overlap in overlaps] == [card_id]:
        return ContractReport(card_id, False, 0)
    if overlaps and not replace:
        raise ConfigError(_explain_overlap(terms, overlaps[0]))
    with transaction(con):
        if sheet.rate_sheet_id not in known_sheets(con):
            insert_sheets(con, [sheet])
        for overlap in overlaps:
            _shorten(con, terms, overlap, now)
        _insert(con, terms, (card_id, sheet), now)
    return ContractReport(card_id, True, len(overlaps))


def _as_fields(terms: ContractTerms) -> dict[str, object]:
    return {"litellm_provider": terms.provider or "contract", **fields_of(terms.rates)}


def _check(terms: ContractTerms) -> None:
    if not terms.rates:
        raise ConfigError(
            f"A contract for {terms.model_key!r} needs a rate: --input 2.50/1M, --image 0.04, ..."
        )
    if not terms.reason.strip():
        raise ConfigError(f"A contract for {terms.model_key!r} needs a reason: --reason TEXT")
    if terms.valid_to <= terms.valid_from:
        raise ConfigError(
            f"The period {_day(terms.valid_from)} to {_day(terms.valid_to)} is empty; "
            "--to must be later than --from"
        )


def _explain_overlap(terms: ContractTerms, overlap: _Overlap) -> str:
    whose = f" at {terms.provider}" if terms.provider else ""
    return (
        f"{terms.model_key!r}{whose} has a contract from {_day(overlap.valid_from)} "
        f"to {_day(overlap.valid_to)} already (card {overlap.rate_card_id[:12]}); "
        "choose other dates, or add --replace to end it where this one begins"
    )


def _shorten(
    con: duckdb.DuckDBPyConnection, terms: ContractTerms, overlap: _Overlap, now: datetime
) -> None:
    """Supersedes an overlapping contract and keeps what of it lies before or after the new one."""
    sql = load("pricing/rates")
    scope = {"model_key": terms.model_key, "provider": terms.provider}
    con.execute(sql["supersede_contract"], {**scope, "valid_from": overlap.valid_from, "now": now})
    kept = {
        **scope,
        "rate_sheet_id": overlap.rate_sheet_id,
        "rate_card_id": overlap.rate_card_id,
        "now": now,
    }
    before = (overlap.valid_from, terms.valid_from)
    after = (terms.valid_to, overlap.valid_to)
    for start, end in (before, after):
        if start < end:
            con.execute(
                sql["insert_contract_segment"], {**kept, "valid_from": start, "valid_to": end}
            )


def _insert(
    con: duckdb.DuckDBPyConnection, terms: ContractTerms, card: tuple[str, RateSheet], now: datetime
) -> None:
    sql = load("pricing/rates")
    card_id, sheet = card
    text = json.dumps(dict(terms.rates), sort_keys=True)
    row = {
        "rate_card_id": card_id,
        "model_key": terms.model_key,
        "provider": terms.provider,
        "valid_from": terms.valid_from,
        "valid_to": terms.valid_to,
        "now": now,
    }
    digests = {"content_sha256": hashlib.sha256(text.encode()).hexdigest(), "rate_card_id": card_id}
    if con.execute(sql["known_contract_card"], {"rate_card_id": card_id}).fetchone() is None:
        con.execute(
            sql["insert_card"],
            {
                **digests,
                "source": "contract",
                "source_version": terms.actor,
                "observed_at": now,
                "recorded_at": now,
                "model_count": 1,
            },
        )
    con.execute(sql["insert_contract_segment"], {**row, "rate_sheet_id": sheet.rate_sheet_id})
    con.execute(
        sql["insert_contract"],
        {**row, "terms": text, "reason": terms.reason.strip(), "actor": terms.actor},
    )


def _card_id(terms: ContractTerms, sheet: RateSheet) -> str:
    key = "|".join(
        (
            terms.model_key,
            terms.provider,
            str(sheet.rate_sheet_id),
            terms.valid_from.isoformat(),
            terms.valid_to.isoformat(),
        )
    )
    return hashlib.sha256(key.encode()).hexdigest()


def _day(instant: datetime) -> str:
    return "open end" if instant >= OPEN_END else instant.date().isoformat()
