"""Failures of services that no provider is: one incident for each service, which ends in quiet."""

from __future__ import annotations

import socket

import pytest

from anchor_autopatch.core.alerting.documents import document
from anchor_autopatch.core.fingerprint import fingerprint
from tests.host.support import run_python
from tests.job.incidents.support import START
from tests.job.outboxes import event


def down(number, **fields):
    plain = {"provider": None, "dependency": "db:5432", "http_status": None, "sdk": "psycopg"}
    return event(number, event_class="dependency_error", **plain | fields)


def test_database_that_fails_many_applications_is_one_incident(world):
    world.happen(*(down(n, service=f"app-{n % 3}", code=f"5{n}") for n in range(1, 10)))

    world.look(minutes=1)

    incident = world.only()
    affected = world.within(lambda store: store.affected(incident.incident_id))
    assert (incident.event_count, incident.severity, len(affected)) == (9, "error", 3)


def test_it_ends_when_nothing_fails_for_a_while(world):
    world.happen(down(1)).look(minutes=1)

    report = world.look(minutes=15)

    assert report.resolved == (world.only().incident_id,)
    assert world.only().resolve_reason == "auto_quiet"


@pytest.mark.parametrize("kind", ["dependency_error", "network", "timeout", "rate_limited"])
def test_services_are_told_apart_and_causes_within_one_are_not(kind):
    one = fingerprint(down(1)._replace(event_class=kind))
    same = fingerprint(down(2, code="53300", call_site="a:b")._replace(event_class=kind))
    other = fingerprint(down(3, dependency="cache:6379")._replace(event_class=kind))

    assert one == same != other


def test_message_says_which_service(world):
    world.happen(down(1)).look(minutes=1)

    told = document(world.only(), (), "opened", "key", int(START.timestamp() * 1_000_000))

    assert "db:5432 answers that it cannot serve" in str(told)


CALLS = """
import logging, requests
for _ in range(5):
    try:
        requests.get("http://127.0.0.1:PORT/order?token=canary", timeout=10)
    except requests.ConnectionError:
        logging.exception("no partner")
"""


def test_service_that_a_real_program_cannot_reach_is_an_incident(world):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    run_python("-c", CALLS.replace("PORT", str(port)), home=world.home, ANCHOR_SERVICE="shop")
    # The events are of today, the world's clock is not.
    world.look(days=365 * 80)

    incident = world.only()
    assert (incident.event_class, incident.dependency) == ("network", f"127.0.0.1:{port}")
    assert (incident.event_count, incident.severity) == (5, "error")
