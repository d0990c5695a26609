"""Divides every open invoice over the receipts that caused it, to the cent.

Each line goes to the finest set of receipts that it can be matched with and that weighs anything;
within the set every receipt carries its share of the estimated cost, unrounded. Cents are cut once
per invoice and key, by largest remainder. All of it is integers; every sum is asserted, and a run
that does not tie leaves nothing behind.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb

from anchor_autopatch.core.errors import InvoiceError
from anchor_autopatch.job.allocation import buckets
from anchor_autopatch.job.allocation.model_names import same_models
from anchor_autopatch.job.allocation.policies import Policies
from anchor_autopatch.job.allocation.renewing import keep_division, plan_division
from anchor_autopatch.job.allocation.scopes import number_scopes
from anchor_autopatch.job.allocation.snapshots import KeyMap, keep_rules, rules_of
from anchor_autopatch.job.allocation.statements import statements
from anchor_autopatch.job.invoices.meters import COVERED_METERS, WHOLE_METERS
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.pricing import assume_proposals
from anchor_autopatch.job.warehouse import frugal, transaction

if TYPE_CHECKING:
    from datetime import datetime

__all__ = (
    "AllocationReport",
    "KeyMap",
    "Reconciled",
    "Threshold",
    "allocate_open_periods",
    "divide_anew",
)


MEMORY_LIMIT: Final = "1400MB"
"""Of DuckDB's buffers: with results and Python on top, ten million receipts stay within 2 GB."""


class Threshold(NamedTuple):
    """A variance beyond the larger of the two needs a person."""

    ratio: Decimal = Decimal("0.03")
    """Of the invoice total."""
    floor: Decimal = Decimal(500)
    """In the currency of the invoice."""


class Reconciled(NamedTuple):
    """One invoice of an open period, or receipts of it that no invoice pays for yet (None)."""

    period: str
    provider: str
    account: str
    invoice_id: str | None
    invoice_total: Decimal | None
    currency: str
    estimated_total_usd: Decimal
    untracked: Decimal
    unallocated: Decimal
    rounding: Decimal
    variance: Decimal | None
    """Estimated minus invoiced; None = nothing to compare with."""
    threshold: Decimal | None
    flagged: bool


class AllocationReport(NamedTuple):
    """What a run found, by period, provider, account and invoice."""

    rows: tuple[Reconciled, ...]

    @property
    def needs_person(self) -> bool:
        """Whether a variance is beyond its threshold or money found no receipt."""
        return any(row.flagged or row.unallocated for row in self.rows)


NO_KEYS = KeyMap({}, {})
NO_POLICIES = Policies()


def allocate_open_periods(
    con: duckdb.DuckDBPyConnection,
    now: datetime,
    *,
    keys: KeyMap = NO_KEYS,
    policies: Policies = NO_POLICIES,
    threshold: Threshold = Threshold(),  # noqa: B008
    variance_rules: object = None,
) -> AllocationReport:
    """Allocates the invoices of every period that is not frozen; running twice changes nothing.

    A period of which nothing has changed since the last run keeps its rows.

    Args:
        con: Open warehouse with measured and priced receipts.
        now: Aware; stored as the time of the reconciliation.
        keys: Projects and provider key ids of API keys.
        policies: What becomes of money that no receipt explains.
        threshold: Beyond which a variance is flagged.
        variance_rules: By which the variances of what is divided are found afterwards.

    Raises:
        InvoiceError: sums do not tie; nothing was changed.
    """
    work = _Work(keys, policies, threshold, variance_rules)
    try:
        with frugal(con, MEMORY_LIMIT):
            return _allocate(con, now, work)
    except duckdb.OutOfMemoryException:
        # Not every plan can be spilled; nothing was changed, and slow is better than not at all.
        return _allocate(con, now, work)


def divide_anew(
    con: duckdb.DuckDBPyConnection,
    period: str,
    keys: KeyMap = NO_KEYS,
    policies: Policies = NO_POLICIES,
) -> list[tuple[Any, ...]]:
    """How a period would be divided with what is known now; nothing is kept.

    Args:
        con: Open warehouse.
        period: YYYY-MM, frozen or not.
        keys: Where the period was divided before its rules were kept; else its own are taken.
        policies: The same.

    Returns:
        Rows of provider, account, invoice, currency, team, service, environment and amount, in
        whole minor units: for a frozen period, what its late receipts, and rates that were learnt
        since, would have made of it.
    """
    con.begin()
    try:
        assume_proposals(con, period)
        con.execute(statements()["keep_others"], {"period": period})
        # As the period was divided, whatever the rules have become since.
        _divide(con, *(rules_of(con, period) or (keys, policies)))
        return con.execute(statements()["app_shares"]).fetchall()
    finally:
        # Frozen prices never change, not even for the time of a calculation that is committed.
        con.rollback()


class _Work(NamedTuple):
    keys: KeyMap
    policies: Policies
    threshold: Threshold
    variance_rules: object


def _allocate(con: duckdb.DuckDBPyConnection, now: datetime, work: _Work) -> AllocationReport:
    with transaction(con):
        _run(con, "keep_frozen")
        number_scopes(con, work.policies.time_zones)
        division = plan_division(con, now, *work)
        con.execute(statements()["keep_unchanged"], {"periods": list(division.unchanged)})
        _divide(con, work.keys, work.policies)
        _run(con, "forget_open", "forget_anchors", "forget_splits", "forget_reconciliation")
        _run(con, "keep_matches", "keep_anchors", "keep_splits")
        keep_rules(con, work.keys, work.policies)
        _assert_none(con, "loose_splits")
        con.execute(
            statements()["keep_reconciliation"],
            {"ratio": work.threshold.ratio, "floor": work.threshold.floor, "now": naive_utc(now)},
        )
        rows = con.execute(statements()["reconciled"]).fetchall()
        _run(con, "drop_work")
        keep_division(con, now, division, is_classified=work.variance_rules is None)
    return AllocationReport(tuple(Reconciled(*row) for row in rows))


def _divide(con: duckdb.DuckDBPyConnection, keys: KeyMap, policies: Policies) -> None:
    """Every working table up to whole minor units; no result table is touched."""
    _weigh(con, policies)
    _match(con, keys)
    buckets.carve_idle(con, policies)
    _run(con, "paid_pools")
    buckets.carve_untracked(con)
    _run(con, "paid_cells")
    unexplained = buckets.spread_taxes(con, buckets.found(con))
    _run(con, "usage_shares", "plain_factors", "receipt_shares", "drop_open_receipts")
    _assert_none(con, "loose_shares")
    _run(con, "cost_parts")
    buckets.keep_parts(con, unexplained, policies)
    _run(con, "units_macros", "floored_parts", "unit_cuts", "rounded_parts")


def _run(con: duckdb.DuckDBPyConnection, *names: str) -> None:
    for name in names:
        con.execute(statements()[name])


def _weigh(con: duckdb.DuckDBPyConnection, policies: Policies) -> None:
    _run(con, "money_macro", "converted_macro", "femto_macro", "local_macro", "plain_usage_macro")
    _run(con, "quantity_share_macro", "paid_rank_macro")
    number_scopes(con, policies.time_zones)
    _run(con, "lines", "key_codes", "model_codes", "tier_codes", "rate_codes", "open_receipts")
    _run(con, "plain_groups", "receipt_groups", "covered_receipts", "unfolded_prices")
    _run(con, "usage", "usage_without_lines")
    _run(con, "weighed_usage", "even_weights", "scaled_weights", "cells")
    _run(con, "cell_estimates")


def _match(con: duckdb.DuckDBPyConnection, keys: KeyMap) -> None:
    sql = statements()
    names = con.execute(sql["model_names"]).fetchall()
    con.execute(sql["model_matches"], _columns(_MODEL, _model_matches(names)))
    meters = [
        (line, meter)
        for line, covered in COVERED_METERS.items()
        for meter in (*covered, *WHOLE_METERS)
    ]
    con.execute(sql["meter_matches"], _columns(("line_meter", "receipt_meter"), meters))
    matches = [("project", project, key) for key, project in sorted(keys.projects.items())]
    matches += [("key", name, key) for key, name in sorted(keys.keys.items())]
    con.execute(sql["key_matches"], _columns(("kind", "name", "fingerprint"), matches))
    _run(con, "candidates", "pools", "pool_cells", "resolved_lines")


_MODEL = ("invoice_id", "line_model", "receipt_model")


def _model_matches(names: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    models: dict[tuple[str, str], list[str]] = {}
    for kind, invoice_id, model in names:
        models.setdefault((kind, invoice_id), []).append(model)
    return [
        (invoice_id, line_model, found)
        for (kind, invoice_id), line_models in models.items()
        if kind == "line"
        for line_model in line_models
        for found in same_models(line_model, models.get(("receipt", invoice_id), []))
    ]


def _columns(
    names: tuple[str, ...], rows: list[tuple[str, str]] | list[tuple[str, str, str]]
) -> dict[str, list[str]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _assert_none(con: duckdb.DuckDBPyConnection, name: str) -> None:
    loose = con.execute(statements()[name]).fetchall()
    if loose:
        raise InvoiceError(
            f"Allocation does not tie ({name}: {', '.join(map(str, loose[0]))}); "
            "nothing was changed, please report this"
        )
