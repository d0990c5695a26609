"""A look at what is new, as the cron job and the side-car both do it: take in, judge, tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.alerting import rules as alert_rules
from anchor_autopatch.core.alerting.rules import AlertRules
from anchor_autopatch.job.delivery.heartbeat import note_round
from anchor_autopatch.job.delivery.sending import Sender, SendReport
from anchor_autopatch.job.incidents.claiming import Board
from anchor_autopatch.job.incidents.evaluating import EvaluateReport, evaluate
from anchor_autopatch.job.incidents.intake import Signatures, from_outboxes, from_warehouse
from anchor_autopatch.job.incidents.publishing import copy_to_warehouse
from anchor_autopatch.job.incidents.rules import IncidentRules, read_rules
from anchor_autopatch.job.incidents.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from duckdb import DuckDBPyConnection


class Settings(NamedTuple):
    """What `anchor.toml` and the environment say about incidents and alerts."""

    incidents: IncidentRules
    alerts: AlertRules


def read_settings(config: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The sections `[incidents]` and `[alerts]`.

    Raises:
        ConfigError: a value that nobody can read, or a key that nobody reads.
    """
    return Settings(read_rules(config), alert_rules.read_rules(config, environ))


def look_into_outboxes(
    store: Store,
    homes: Sequence[Path],
    settings: Settings,
    now: datetime,
    read: Signatures | None = None,
) -> EvaluateReport:
    """Takes in what the outboxes hold; the warehouse is left alone.

    Args:
        store: Open incidents.db.
        homes: Whose outboxes are read.
        settings: What is an incident, and who is told.
        now: Aware.
        read: What an earlier look has read, brought up to date; None reads every file.
    """
    fresh = dict(read or {})
    report = evaluate(
        store,
        lambda: from_outboxes(store, homes, fresh),
        settings.incidents,
        settings.alerts,
        now,
        Board(homes),
    )
    if read is not None:
        # Only now: what was read and not committed has to be read again.
        read.clear()
        read.update(fresh)
    return report


def send(store: Store, home: Path, settings: Settings, now: datetime) -> SendReport:
    """Sends what is due and notes the round; secrets are in the environment, and nowhere else."""
    report = SendReport()
    if settings.alerts.sinks:
        report = Sender(settings.alerts, os.environ).send_due(store, home, now)
    note_round(store, settings.alerts.heartbeat, os.environ, now)
    return report


def look_into_warehouse(
    con: DuckDBPyConnection, home: Path, settings: Settings, now: datetime
) -> EvaluateReport:
    """Takes in what was shipped, tells of it, and leaves a copy of all incidents for the report."""
    with Store(home) as store:
        report = evaluate(
            store,
            lambda: from_warehouse(store, con),
            settings.incidents,
            settings.alerts,
            now,
            Board([home]),
        )
        send(store, home, settings, now)
        copy_to_warehouse(store, con)
    return report
