"""Puts numbers on what one run divides: invoices, and months that no invoice pays for yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.allocation.calendars import (
    SOURCE_ZONES,
    BillingMonth,
    Payer,
    Scope,
    billing_months,
)
from anchor_autopatch.job.allocation.statements import statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

__all__ = ("number_scopes",)


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
    scopes = [Scope(*row) for row in con.execute(sql["every_scope"]).fetchall()]
    payers = [Payer(*row) for row in con.execute(sql["payers"]).fetchall()]
    kept = {period for (period,) in con.execute(sql["kept_periods"]).fetchall()}
    months = [each for each in billing_months(scopes, payers, zones) if each.period not in kept]
    keys = {_key_of(month): month.zone for month in months}
    for scope in scopes:
        if not scope.is_kept:
            zone = SOURCE_ZONES.get(scope.source) or zones.get(scope.provider, "UTC")
            keys.setdefault(_Key(scope.period, *scope[:2], scope.invoice_id), zone)
    numbers = {key: number for number, key in enumerate(sorted(keys, key=_order), 1)}
    con.execute(sql["billing_months"], _month_columns(months, numbers))
    con.execute(sql["scope_keys"], _key_columns(numbers, keys))
    con.execute(sql["open_scopes"])


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
