"""Copies incidents and deliveries into the warehouse, from where they are published."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anchor_autopatch.job.delivery.queue import deliveries
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from anchor_autopatch.job.incidents.records import Affected, Incident
    from anchor_autopatch.job.incidents.store import Store


def copy_to_warehouse(store: Store, con: DuckDBPyConnection) -> None:
    """Replaces the warehouse's copy by what incidents.db has now."""
    sql = load("incidents")
    with transaction(con):
        con.execute(sql["forget_incidents"])
        con.execute(sql["forget_incident_events"])
        con.execute(sql["forget_deliveries"])
        # As JSON: DuckDB takes no list of records, and row by row it takes 1,000 a second.
        rows = [
            _row(incident, store.affected(incident.incident_id)) for incident in store.incidents()
        ]
        con.execute(sql["keep_incidents"], {"rows": json.dumps(rows)})
        events = store.events()
        columns = {
            "event_id": [event_id for event_id, _ in events],
            "incident_id": [incident_id for _, incident_id in events],
        }
        con.execute(sql["keep_incident_events"], columns)
        told = [each._asdict() for each in deliveries(store.con)]
        con.execute(sql["keep_deliveries"], {"rows": json.dumps(told)})


def _row(incident: Incident, affected: list[Affected]) -> dict[str, Any]:
    apps = {(app.team or None, app.service or None, app.environment or None) for app in affected}
    named = sorted(apps, key=lambda app: tuple(part or "" for part in app))
    return {
        **incident._asdict(),
        "class": incident.event_class,
        "acknowledged_by": incident.ack_by,
        "acknowledged_at_us": incident.ack_at_us,
        "affected_count": len(apps),
        "affected": json.dumps(
            [
                {"team": team, "service": service, "environment": environment}
                for team, service, environment in named
            ]
        ),
    }
