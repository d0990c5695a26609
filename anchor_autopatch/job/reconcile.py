"""The whole job, from outboxes to the published report; every step is idempotent, so the run is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job import (
    allocation,
    close,
    exchange,
    meters,
    policy,
    pricing,
    rates,
    settlement,
    variance,
)
from anchor_autopatch.job.allocation import accounts
from anchor_autopatch.job.archive import (
    ArchiveReport,
    Retention,
    archive_if_asked,
    find_missing,
    read_retention,
)
from anchor_autopatch.job.clock import never_back
from anchor_autopatch.job.findings import InvoiceCheck, find, invoice_checks, receipt_count
from anchor_autopatch.job.incidents.evaluating import EvaluateReport
from anchor_autopatch.job.incidents.running import look_into_warehouse, read_settings
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.ship import ShipReport, ship
from anchor_autopatch.job.spend.watching import SpendReport, watch_spend
from anchor_autopatch.job.warehouse import open_warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.job.incidents.running import Settings


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What one run did and found."""

    receipts: int
    """In the warehouse, all periods."""
    shipped: ShipReport
    incidents: EvaluateReport
    settled: settlement.SettleReport
    starts: rates.StartsReport | None
    """None = `[prices]` asks for no start dates, or nobody was there to say them."""
    rates: rates.SyncReport
    measured: meters.MeasureReport
    priced: pricing.PriceReport
    judged: policy.JudgeReport
    allocated: allocation.AllocationReport
    spend: SpendReport
    invoices: tuple[InvoiceCheck, ...]
    archived: ArchiveReport
    """Without files where the policy sets no term."""
    report_path: Path
    findings: tuple[str, ...]
    """One line per thing that needs a person, with the mend."""


STEPS = 10
"""How often `advance` is called."""


def reconcile(
    homes: Sequence[Path],
    now: datetime,
    config: Mapping[str, object],
    *,
    advance: Callable[[], object] = lambda: None,
) -> ReconcileReport:
    """Does all steps, from ship to publish; killed anywhere, the next run ends alike.

    Args:
        homes: the first holds the warehouse and the report; outboxes are taken from all.
        now: the instant of the run, aware.
        config: `anchor.toml`.
        advance: called after each of STEPS steps, for a progress bar.

    Raises:
        AnchorError: it could not run; what was committed before is kept.
    """
    rules = _read(config)
    with open_warehouse(homes[0]) as con:
        accounts.sync_accounts(con, rules.accounts)
        shipped = ship(con, homes, now)
        advance()
        # First of all: what fails cannot wait for prices.
        incidents = look_into_warehouse(con, homes[0], rules.incidents, now)
        advance()
        booked_at = never_back(con, now)
        # Before anything is judged by its month: that of who bills it, which is not always UTC's.
        allocation.note_edges(con, rules.policies.time_zones)
        # Before measuring: it decides which receipt bills an object at all.
        settled = settlement.settle(con, booked_at)
        advance()
        measured = meters.measure(con, booked_at)
        advance()
        synced = rates.sync_installed(con, now)
        # After the table, whose changes it dates.
        starts = rates.take_starts_if_asked(con, now, asked=rules.starts_from)
        advance()
        priced = pricing.price(con, booked_at, models=rules.models)
        advance()
        # Before the split, which keeps apart what is held.
        judged = policy.judge(con, config, now)
        advance()
        allocated = _divide(con, rules, now)
        advance()
        archived = archive_if_asked(con, homes[0], now, rules.retention)
        spend = watch_spend(con, homes[0], config, rules.incidents, now)
        advance()
        implied = pricing.hold_against_cards(
            con, booked_at, rules.limits.price_percent, rules.models
        )
        path = publish(con, homes[0], now, overdue_after=rules.overdue_after)
        advance()
        invoices = invoice_checks(con)
        return ReconcileReport(
            receipts=receipt_count(con),
            shipped=shipped,
            incidents=incidents,
            settled=settled,
            rates=synced,
            starts=starts,
            measured=measured,
            priced=priced,
            judged=judged,
            allocated=allocated,
            spend=spend,
            invoices=invoices,
            archived=archived,
            report_path=path,
            findings=(
                *shipped.findings,
                *archived.findings,
                *find_missing(con, homes[0]),
                *find(con, measured, allocated, invoices, rules.hosts),
                *rates.find_not_asked(starts, asked=rules.starts_from),
                *pricing.find_prices(con),
                *pricing.find_drifts(implied),
                *settlement.find_overdue(con, now, rules.overdue_after),
                *policy.find_policy(con, config),
                *close.find_open_proposals(con),
                *variance.find_unsettled(con, now),
                *exchange.find_unconvertible(con),
            ),
        )


class _Rules(NamedTuple):
    """What `anchor.toml` says to the steps of a run."""

    overdue_after: timedelta
    accounts: dict[str, str]
    models: dict[str, str]
    starts_from: bool
    hosts: dict[str, str]
    keys: allocation.KeyMap
    close: close.CloseRules
    incidents: Settings
    policies: allocation.Policies
    limits: variance.VarianceRules
    retention: Retention


def _read(config: Mapping[str, object]) -> _Rules:
    """All of it before anything is written: what a reader refuses changes nothing."""
    return _Rules(
        overdue_after=settlement.overdue_after(config),
        accounts=accounts.text_table(config, "accounts"),
        models=accounts.text_table(config, "models"),
        starts_from=rates.read_starts_from(config),
        hosts=accounts.text_table(config, "hosts"),
        keys=allocation.KeyMap(
            accounts.text_table(config, "projects"), accounts.text_table(config, "provider_keys")
        ),
        close=close.read_rules(config),
        incidents=read_settings(config, os.environ),
        policies=allocation.read_policies(config),
        limits=variance.read_variance_rules(config),
        retention=read_retention(config),
    )


def _divide(con: DuckDBPyConnection, rules: _Rules, now: datetime) -> allocation.AllocationReport:
    """Splits the bills of open periods, and finds why they are not what was estimated."""
    allocated = allocation.allocate_open_periods(
        con,
        now,
        keys=rules.keys,
        policies=rules.policies,
        threshold=allocation.Threshold(rules.limits.ratio, rules.limits.floor),
        variance_rules=(rules.limits, sorted(rules.close.owners.items())),
    )
    variance.find_variances(con, rules.limits, rules.close.owners, now)
    close.mark_modes(con, rules.close)
    close.propose_late(con, now, rules.keys, rules.policies)
    return allocated
