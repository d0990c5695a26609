"""Failures in real outboxes become incidents with exact counts, and end when they are over."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest

from anchor_autopatch.core.crash_points import watched
from anchor_autopatch.core.errors import ConfigError, StoreError
from anchor_autopatch.job.delivery.queue import deliveries
from anchor_autopatch.job.incidents.actions import acknowledge, resolve, silence
from anchor_autopatch.job.incidents.running import look_into_warehouse
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.incidents.support import OPS, START, World
from tests.job.outboxes import Outbox, event, left_behind, receipt


def overloaded(number, **fields):
    return event(number, event_class="provider_overloaded", http_status=529, **fields)


def test_outage_over_ten_applications_is_one_incident(world):
    world.happen(*(overloaded(1 + n, service=f"app-{n % 10}") for n in range(100)))

    world.look(minutes=2)

    incident = world.only()
    apps = world.within(lambda store: store.affected(incident.incident_id))
    assert (incident.event_count, len(apps)) == (100, 10)
    assert [app.event_count for app in apps] == [10] * 10


def test_looking_again_counts_nothing_twice(world):
    outbox = Outbox(world.home).write(event(1), event(2))
    world.look(minutes=1)
    world.look(minutes=1)
    outbox.write(event(3)).die()

    assert world.look(minutes=2).events == 1
    assert world.only().event_count == 3


def test_side_car_and_cron_count_the_same_calls_once(world):
    world.happen(receipt(1), event(2), event(3)).look(minutes=1)
    left_behind(world.home, event(4), receipt(5), name="later")

    with open_warehouse(world.home) as con:
        ship(con, [world.home], START)
        report = look_into_warehouse(con, world.home, world.settings, START + timedelta(minutes=2))

    succeeded = world.within(lambda store: store.counts(world.only(), 10**12).succeeded)
    assert (report.events, world.only().event_count, succeeded) == (1, 3, 0)


def test_successes_count_once_whoever_looks(world):
    world.happen(receipt(1, request_model="gpt-4o"), event(2, request_model="gpt-4o"))
    world.look(minutes=1)

    with open_warehouse(world.home) as con:
        ship(con, [world.home], START)
        for _ in range(2):
            look_into_warehouse(con, world.home, world.settings, START + timedelta(minutes=2))

    assert world.within(lambda store: store.counts(world.only(), 10**12).succeeded) == 1


def test_quota_is_critical_at_once_and_explains_rate_limits(world):
    limits = [event(1 + n, retried=0) for n in range(30)]
    quota = event(40, event_class="billing_exhausted", code="insufficient_quota")
    world.happen(*limits, quota)

    world.look(minutes=1)

    limited, exhausted = world.incidents()
    assert (exhausted.severity, exhausted.event_count) == ("critical", 1)
    assert limited.inhibited_by == exhausted.incident_id


def test_retries_of_every_layer_are_one_incident_with_all_attempts(world):
    billing = {"event_class": "billing_exhausted", "code": "credit_balance_exhausted"}
    tries = [
        event(3 * call + n, attempts=n, retried=int(n < 3), **billing)
        for call in range(14)
        for n in (1, 2, 3)
    ]
    world.happen(*tries)

    world.look(minutes=2)

    incident = world.only()
    assert (incident.event_count, incident.call_count, incident.wasted_requests) == (42, 14, 28)


@pytest.mark.parametrize(
    "event_class", ["client_cancelled", "content_filter", "context_length", "bad_request"]
)
def test_daily_work_makes_no_incident(world, event_class):
    world.happen(*(receipt(n) for n in range(1, 40)), event(41, event_class=event_class))

    world.look(minutes=2)

    assert world.incidents() == []


def test_service_whose_every_request_is_refused_is_an_incident(world):
    world.happen(*(event(n, event_class="bad_request", http_status=400) for n in range(1, 7)))

    world.look(minutes=2)

    assert (world.only().severity, world.only().event_count) == ("error", 6)


def test_one_failure_among_many_successes_is_only_noted(world):
    model = {"request_model": "gpt-4o"}
    world.happen(*(receipt(n, **model) for n in range(1, 200)), overloaded(100, **model))

    world.look(minutes=5)

    assert world.only().severity == "info"


def test_fast_burn_is_critical(world):
    model = {"request_model": "gpt-4o"}
    world.happen(
        *(receipt(n, **model) for n in range(1, 61)),
        *(overloaded(n, **model) for n in range(2, 60, 4)),
    )

    world.look(minutes=5)

    assert world.only().severity == "critical"


def test_failures_in_a_row_are_an_error_where_traffic_is_low(world):
    world.happen(receipt(1), *(overloaded(60 * n, request_model="gpt-4o") for n in range(1, 6)))

    world.look(minutes=10)

    assert world.only().severity == "error"


def test_first_call_of_the_day_that_fails_is_a_warning(world):
    world.happen(overloaded(1)).look(minutes=1)

    assert world.only().severity == "warning"


def test_provider_incident_ends_with_a_success_not_with_silence(world):
    world.happen(overloaded(1, request_model="gpt-4o")).look(minutes=1)
    world.look(hours=2)
    before = world.only().state

    world.happen(receipt(7000)).look(hours=3)

    assert (before, world.only().state) == ("open", "resolved")
    assert world.only().resolve_reason == "recovered"


def test_success_of_another_model_proves_nothing(world):
    world.happen(overloaded(1, request_model="gpt-5")).look(minutes=1)

    world.happen(receipt(60, request_model="gpt-4o")).look(hours=1)

    assert world.only().state == "open"


def test_application_error_ends_when_it_is_quiet(world):
    world.happen(event(1, event_class="app_error", provider=None)).look(minutes=1)

    report = world.look(minutes=15)

    assert report.resolved == (world.only().incident_id,)
    assert world.only().resolve_reason == "auto_quiet"


def test_what_fails_every_hour_is_not_over_in_between(world):
    world.happen(*(event(3600 * n, event_class="app_error", provider=None) for n in (1, 2, 3)))
    world.look(hours=3, minutes=1)

    world.look(hours=3, minutes=50)

    assert world.only().state == "open"


@pytest.mark.parametrize(
    ("hours", "incidents", "state"), [(3, 1, "reopened"), (48, 2, "open")], ids=["soon", "later"]
)
def test_failure_after_the_end_reopens_or_begins_anew(world, hours, incidents, state):
    failing = {"event_class": "app_error", "provider": None}
    world.happen(event(1, **failing)).look(minutes=1)
    world.look(minutes=30)

    world.happen(event(3600 * hours, **failing)).look(hours=hours, minutes=1)

    found = world.incidents()
    assert (len(found), found[-1].state) == (incidents, state)


def test_event_shipped_late_counts_and_reopens_nothing(world):
    failing = {"event_class": "app_error", "provider": None}
    world.happen(event(2, **failing)).look(minutes=1)
    world.look(minutes=30)

    world.happen(event(1, **failing)).look(hours=1)

    assert (world.only().state, world.only().event_count) == ("resolved", 2)
    assert world.only().first_seen_us == event(1).occurred_at_us


def test_the_life_of_an_incident_is_kept(world):
    world.happen(event(1, event_class="auth")).look(minutes=1)
    incident_id = world.only().incident_id

    def act(store):
        acknowledge(store, incident_id[:6], "ana", "on it", START + timedelta(minutes=2))
        resolve(store, incident_id, "bob", "new key", START + timedelta(minutes=3))
        return [(each.kind, each.actor, each.note) for each in store.changes(incident_id)]

    assert world.within(act) == [
        ("opened", "anchor", "critical"),
        ("acknowledged", "ana", "on it"),
        ("resolved", "bob", "new key"),
    ]


def test_resolved_incident_cannot_be_taken_on(world):
    world.happen(event(1, event_class="app_error", provider=None)).look(minutes=1)
    world.look(minutes=30)

    with pytest.raises(StoreError, match="is resolved"):
        world.within(lambda store: acknowledge(store, world.only().incident_id, "ana", "", START))


def test_silence_keeps_quiet_and_loses_nothing(tmp_path):
    world = World(tmp_path, [OPS])
    until = START + timedelta(hours=1)
    world.within(lambda store: silence(store, "class=auth", until, "ana", "key rotation", START))
    world.happen(event(1, event_class="auth"))

    during = world.look(minutes=5).messages
    after = world.look(minutes=61).messages

    assert (during, after, world.only().event_count) == (0, 1, 1)


@pytest.mark.parametrize("matcher", ["", "klass=auth", "class", "class="])
def test_silence_that_nobody_can_read_is_refused(world, matcher):
    with pytest.raises(ConfigError, match="silence"):
        world.within(lambda store: silence(store, matcher, START, "ana", "why", START))


def test_networks_down_together_are_told_once(tmp_path):
    world = World(tmp_path, [OPS])
    providers = ("openai", "anthropic", "gemini")
    world.happen(
        *(
            event(n, event_class="network", provider=name, dependency=f"api.{name}.com")
            for n, name in enumerate(providers, start=1)
        )
    )

    assert world.look(minutes=1).messages == 1
    assert [each.inhibited_by is None for each in world.incidents()] == [True, False, False]


def test_acknowledged_incident_is_not_reminded_of(tmp_path):
    world = World(tmp_path, [OPS])
    world.happen(event(1, event_class="auth")).look(minutes=1)
    first = [world.look(hours=hours).messages for hours in (0.5, 1.1, 2, 4.1)]
    world.within(lambda store: acknowledge(store, world.only().incident_id, "ana", "", START))

    assert first == [0, 1, 0, 1]
    assert world.look(hours=30).messages == 0


def test_reminders_go_on_once_a_day_and_are_not_made_up_for(tmp_path):
    world = World(tmp_path, [OPS])
    world.happen(event(1, event_class="auth")).look(minutes=1)

    told = [world.look(hours=hours).messages for hours in (24.1, 24.2, 48.1, 96.1, 96.2)]

    assert told == [1, 0, 1, 1, 0]


def test_end_is_told_once_to_whom_the_beginning_was(tmp_path):
    world = World(tmp_path, [OPS])
    world.happen(event(1, event_class="app_error", provider=None)).look(minutes=1)

    ended = [world.look(minutes=15).messages, world.look(minutes=16).messages]

    kinds = world.within(lambda store: [each.kind for each in deliveries(store.con)])
    assert (ended, kinds) == ([1, 0], ["resolved", "opened"])


def test_history_is_recorded_and_told_to_nobody(tmp_path):
    world = World(tmp_path, [OPS])
    world.happen(event(1, event_class="auth"))

    assert world.look(days=10).messages == 0
    assert world.only().event_count == 1


@pytest.mark.parametrize("step", ["incidents.evaluated", "incidents.done"])
def test_run_that_is_killed_leaves_everything_for_the_next(world, step):
    world.happen(event(1, event_class="auth"))

    def die(reached):
        if reached == step:
            raise RuntimeError

    with watched(die), pytest.raises(RuntimeError):
        world.look(minutes=1)
    nothing = world.incidents()

    assert (nothing, world.look(minutes=1).events) == ([], 1)


def test_incidents_are_published(world):
    world.happen(
        receipt(1),
        event(2, event_class="auth", receipt_id="receipt-000001"),
        event(3, event_class="auth"),
    )
    with open_warehouse(world.home) as con:
        ship(con, [world.home], START)
        look_into_warehouse(con, world.home, world.settings, START + timedelta(minutes=1))
        path = publish(con, world.home, START)

    with duckdb.connect(str(path), read_only=True) as report:
        found = report.execute(
            "SELECT class, severity, state, event_count, affected_count, wasted_usd,"
            " count(event_id), max(affected->>'$[0].service')"
            " FROM incidents JOIN exception_events USING (incident_id, class) GROUP BY ALL"
        ).fetchall()
    assert found == [("auth", "critical", "open", 2, 1, None, 2, "chatbot")]
