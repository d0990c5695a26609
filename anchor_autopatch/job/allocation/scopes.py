"""Puts numbers on what one run divides: invoices, and months that no invoice pays for yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.allocation.calendars import (
    SOURCE_ZONES,
    BillingMonth,
    Edge,
    Payer,
    Scope,
    billing_months,
    edges_of,
)
from anchor_autopatch.job.allocation.snapshots import from_document
from anchor_autopatch.job.allocation.statements import statements
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

__all__ = ("note_edges", "number_scopes")


class _Key(NamedTuple):
    """What receipts are divided together by."""

    period: str
    provider: str
    account: str
    invoice_id: str | None


def number_scopes(con: duckdb.DuckDBPyConnection, zones: Mapping[str, str]) -> None:
    """Makes the working tables billing_month, scope_key and scope of all periods not kept.

    Raises:
        ConfigError: this machine does not know a time zone.
    """
    sql = statements()
    scopes = _scopes(con)
    kept = {period for (period,) in con.execute(sql["kept_periods"]).fetchall()}
    months = [each for each in _months(con, scopes, zones) if each.period not in kept]
    keys = {_key_of(month): month.zone for month in months}
    for scope in scopes:
        if not scope.is_kept:
            zone = SOURCE_ZONES.get(scope.source) or zones.get(scope.provider, "UTC")
            keys.setdefault(_Key(scope.period, *scope[:2], scope.invoice_id), zone)
    numbers = {key: number for number, key in enumerate(sorted(keys, key=_order), 1)}
    con.execute(sql["billing_months"], _month_columns(months, numbers))
    con.execute(sql["scope_keys"], _key_columns(numbers, keys))
    con.execute(sql["open_scopes"])


def note_edges(con: duckdb.DuckDBPyConnection, zones: Mapping[str, str]) -> None:
    """Keeps the hours that are billed in another month than that of UTC, for all steps of a run.

    Before settling and pricing: they must not take a receipt of a frozen month for an open one's
    because UTC says so. To be run in every run, since invoices bring calendars with them.

    Raises:
        ConfigError: this machine does not know a time zone.
    """
    sql = statements()
    with transaction(con):
        con.execute(sql["keep_frozen"])
        scopes = _scopes(con)
        con.execute(sql["forget_edges"])
        # Nearly nobody needs more: to find out who pays means to read all receipts.
        if not (zones or any(_frozen_zones(con).values()) or _has_zones(scopes)):
            return
        edges = edges_of(_months(con, scopes, zones))
        columns = {name: [getattr(each, name) for each in edges] for name in Edge._fields}
        con.execute(sql["note_edges"], columns)


def _scopes(con: duckdb.DuckDBPyConnection) -> list[Scope]:
    return [Scope(*row) for row in con.execute(statements()["every_scope"]).fetchall()]


def _months(
    con: duckdb.DuckDBPyConnection, scopes: Sequence[Scope], zones: Mapping[str, str]
) -> list[BillingMonth]:
    """Every month of every account; the frozen ones by the calendars that they were frozen with."""
    payers = [Payer(*row) for row in con.execute(statements()["payers"]).fetchall()]
    return billing_months(scopes, payers, zones, _frozen_zones(con))


def _frozen_zones(con: duckdb.DuckDBPyConnection) -> dict[str, Mapping[str, str]]:
    rules = con.execute(statements()["frozen_rules"]).fetchall()
    return {period: from_document(document)[1].time_zones for period, document in rules}


def _has_zones(scopes: Sequence[Scope]) -> bool:
    return any(scope.source in SOURCE_ZONES for scope in scopes)


def _key_of(month: BillingMonth) -> _Key:
    if month.scope is None:
        return _Key(month.period, month.provider, month.account, None)
    return _Key(month.period, month.provider, month.scope.account, month.scope.invoice_id)


def _order(key: _Key) -> tuple[str, ...]:
    return (*key[:3], key.invoice_id or "")


def _month_columns(
    months: Sequence[BillingMonth], numbers: Mapping[_Key, int]
) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {"scope_no": [numbers[_key_of(each)] for each in months]}
    for name in ("provider", "account", "zone", "from_at", "to_at"):
        columns[name] = [getattr(each, name) for each in months]
    return columns


def _key_columns(numbers: Mapping[_Key, int], zones: Mapping[_Key, str]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {"scope_no": list(numbers.values())}
    for name in _Key._fields:
        columns[name] = [getattr(key, name) for key in numbers]
    columns["zone"] = [zones[key] for key in numbers]
    return columns
