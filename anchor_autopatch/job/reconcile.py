"""The whole job, from outboxes to the published report; every step is idempotent, so the run is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What one run did and found."""

    receipts: int
    """In the warehouse, all periods."""
    shipped: ShipReport
    incidents: EvaluateReport
    settled: settlement.SettleReport
    rates: rates.SyncReport
    measured: meters.MeasureReport
    priced: pricing.PriceReport
    judged: policy.JudgeReport
    allocated: allocation.AllocationReport
    spend: SpendReport
    invoices: tuple[InvoiceCheck, ...]
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
    # The policy is read before anything is written: what a reader refuses changes nothing.
    overdue_after = settlement.overdue_after(config)
    key_accounts = accounts.text_table(config, "accounts")
    keys = allocation.KeyMap(
        accounts.text_table(config, "projects"), accounts.text_table(config, "provider_keys")
    )
    rules = close.read_rules(config)
    settings = read_settings(config, os.environ)
    policies = allocation.read_policies(config)
    limits = variance.read_variance_rules(config)
    threshold = allocation.Threshold(limits.ratio, limits.floor)
    with open_warehouse(homes[0]) as con:
        accounts.sync_accounts(con, key_accounts)
        shipped = ship(con, homes, now)
        advance()
        # First of all: what fails cannot wait for prices.
        incidents = look_into_warehouse(con, homes[0], settings, now)
        advance()
        booked_at = never_back(con, now)
        settled = settlement.settle(con, booked_at)
        advance()
        measured = meters.measure(con, booked_at)
        advance()
        synced = rates.sync_installed(con, now)
        advance()
        priced = pricing.price(con, booked_at, models=accounts.text_table(config, "models"))
        advance()
        # Before the split, which keeps apart what is held.
        judged = policy.judge(con, config, now)
        advance()
        allocated = allocation.allocate_open_periods(
            con,
            now,
            keys=keys,
            policies=policies,
            threshold=threshold,
            variance_rules=(limits, sorted(rules.owners.items())),
        )
        advance()
        variance.find_variances(con, limits, rules.owners, now)
        close.mark_modes(con, rules)
        close.propose_late(con, now, keys, policies)
        spend = watch_spend(con, homes[0], config, settings, now)
        advance()
        path = publish(con, homes[0], now, overdue_after=overdue_after)
        advance()
        invoices = invoice_checks(con)
        return ReconcileReport(
            receipts=receipt_count(con),
            shipped=shipped,
            incidents=incidents,
            settled=settled,
            rates=synced,
            measured=measured,
            priced=priced,
            judged=judged,
            allocated=allocated,
            spend=spend,
            invoices=invoices,
            report_path=path,
            findings=(
                *shipped.findings,
                *find(con, measured, allocated, invoices, accounts.text_table(config, "hosts")),
                *pricing.find_prices(con),
                *pricing.find_drifts(
                    con, booked_at, limits.price_percent, accounts.text_table(config, "models")
                ),
                *settlement.find_overdue(con, now, overdue_after),
                *policy.find_policy(con, config),
                *close.find_open_proposals(con),
                *variance.find_unsettled(con, now),
                *exchange.find_unconvertible(con),
            ),
        )
