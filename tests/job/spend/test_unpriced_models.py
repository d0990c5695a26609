"""A model that no card has is seen on the day of its first call: an incident, once for all."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from anchor_autopatch.core.crash_points import watched
from anchor_autopatch.core.settings import WAREHOUSE_FILE
from anchor_autopatch.job.clock import to_micros
from anchor_autopatch.job.incidents.lifecycle import resolve
from anchor_autopatch.job.incidents.rules import IncidentRules
from anchor_autopatch.job.incidents.store import Store
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.reconcile import reconcile
from anchor_autopatch.job.verify import verify
from anchor_autopatch.job.verify.alerts import check_alerts
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import START_US, event, left_behind, receipt
from tests.job.priced import add, load_table, run
from tests.job.spend.support import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RATES = {"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06}


def use(money, receipt_id="r1", at=NOW - HOUR, **fields):
    """One call, priced by a list that has gpt-4o alone."""
    with open_warehouse(money.home) as con:
        load_table(con, {"gpt-4o": RATES})
        add(con, receipt_id, occurred_at=naive_utc(at), **fields)
        run(con, at)


def test_first_call_of_a_model_without_a_rate_is_told_once(told, sink):
    use(told, request_model="gpt-99")
    told.look()
    use(told, "r2", NOW, request_model="gpt-99")
    told.look(NOW + timedelta(minutes=1))

    (message,) = [each.json for each in sink.received]
    assert message["title"] == "Nobody knows what gpt-99 of openai costs"
    assert message["incident"]["message"].startswith("1 call without a price (no card has this")
    assert told.incidents() == [("unpriced_model", "open", "gpt-99")]


def test_incident_of_a_model_that_got_its_rate_ends_a_day_later(money):
    use(money, request_model="gpt-99")
    money.look()
    with open_warehouse(money.home) as con:
        load_table(con, {"gpt-4o": RATES, "gpt-99": RATES}, seen=NOW)
        run(con, NOW)
    money.look(NOW + 20 * HOUR)
    meanwhile = money.incidents()
    money.look(NOW + 2 * DAY)

    assert meanwhile == [("unpriced_model", "open", "gpt-99")]
    assert money.incidents() == [("unpriced_model", "resolved", "gpt-99")]


def test_what_has_no_rate_beside_priced_tokens_is_told_by_its_meter(told, sink):
    use(told, facts={"searches": 2}, usage_shape="openai.chat")
    told.look()

    with open_warehouse(told.home) as con:
        found = con.execute("SELECT price_status, unpriced_meters FROM receipt_price").fetchone()
    assert found == ("priced", "searches")
    assert "(searches)" in sink.received[0].json["incident"]["message"]


def test_calls_that_no_rate_would_help_are_no_incident(money):
    use(money, "no usage", usage=None, usage_shape=None)
    use(money, "no provider", provider="unmapped", request_model="mystery")
    use(money, "no model", request_model=None)
    use(money, "priced")
    money.look()

    assert money.incidents() == []


EVENTS = "SELECT code, occurrences, team, retried FROM exception_events ORDER BY occurred_at"
COUNTED = (
    "SELECT event_count, sum(occurrences) FROM incidents JOIN exception_events"
    " USING (incident_id) GROUP BY ALL ORDER BY ALL"
)


def test_calls_of_a_day_without_a_rate_are_one_exception_event(money):
    for number in range(3):
        use(money, f"r{number}", NOW - number * HOUR, request_model="gpt-99", team="search")
    money.look()

    assert money.query(EVENTS) == [("gpt-99", 3, "search", None)]
    assert money.query(COUNTED) == [(3, 3)]


def test_event_of_calls_that_come_later_grows_with_its_incident(money):
    use(money, request_model="gpt-99", team="search")
    money.look()
    (event_id,) = money.query("SELECT event_id FROM exception_events")
    use(money, "r2", NOW, request_model="gpt-99", team="chat")
    money.look(NOW + HOUR)

    assert money.query("SELECT event_id FROM exception_events") == [event_id]
    assert money.query(EVENTS) == [("gpt-99", 2, None, None)]
    assert money.query(COUNTED) == [(2, 2)]
    assert money.incidents() == [("unpriced_model", "open", "gpt-99")]
    assert check_alerts(money.home).faults == ()


def test_run_that_is_repeated_leaves_the_same_event(money):
    use(money, request_model="gpt-99")
    rows = []
    for minutes in (0, 5):
        money.look(NOW + timedelta(minutes=minutes))
        rows.append(money.query("FROM exception_events"))

    assert rows[0] == rows[1] != []


def test_run_that_is_killed_before_it_tells_leaves_that_for_the_next(money):
    use(money, request_model="gpt-99")

    def die(step):
        if step == "incidents.evaluated":
            raise RuntimeError

    with watched(die), pytest.raises(RuntimeError):
        money.look()
    money.look(NOW + HOUR)

    assert money.query(COUNTED) == [(1, 1)]


def test_event_stays_when_a_price_becomes_known(money):
    use(money, request_model="gpt-99")
    money.look()
    with open_warehouse(money.home) as con:
        load_table(con, {"gpt-4o": RATES, "gpt-99": RATES}, seen=NOW)
        run(con, NOW)
    money.look(NOW + 2 * DAY)

    assert money.query("SELECT * FROM unpriced_models") == []
    assert money.query(EVENTS) == [("gpt-99", 1, None, None)]


def test_day_that_comes_in_late_leaves_its_event_and_tells_nobody(money):
    use(money, at=NOW - 30 * DAY, request_model="gpt-99")
    money.look()

    assert money.query("SELECT code, incident_id FROM exception_events") == [("gpt-99", None)]
    assert money.incidents() == []


def test_late_calls_of_an_ended_incident_are_counted_in_it_alone(money):
    money.settings = money.settings._replace(incidents=IncidentRules(reopen_us=1))
    use(money, at=NOW - DAY, request_model="gpt-99")
    money.look()
    with Store(money.home) as store, store.transaction():
        (first,) = store.incidents()
        store.keep(resolve(first, "ops", "", to_micros(NOW - 13 * HOUR)).incident)
    use(money, "next day", NOW, request_model="gpt-99")
    money.look()
    use(money, "late", NOW - DAY + HOUR, request_model="gpt-99")
    money.look(NOW + HOUR)

    assert money.query(COUNTED) == [(1, 1), (2, 2)]
    assert [state for _, state, _ in money.incidents()] == ["resolved", "open"]
    assert check_alerts(money.home).faults == ()


def test_event_is_no_failure_of_the_provider(money):
    use(money, request_model="gpt-99")
    money.look()

    health = money.query("SELECT model, calls, failed_calls FROM provider_health")
    counted = (
        "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM {}), (SELECT count(*) FROM {})"
    )
    assert health == [("gpt-99", 1, 0)]
    assert money.query(counted.format("retries", "failed_calls", "new_error_codes")) == [(0, 0, 0)]


def test_whole_job_leaves_one_event_and_proves_itself(synced_warehouse, tmp_path):
    shutil.copy(synced_warehouse, tmp_path / WAREHOUSE_FILE)
    unknown = {"request_model": "gpt-99", "response_model": "gpt-99"}
    left_behind(tmp_path, receipt(1), *(receipt(number, **unknown) for number in (2, 3)), event(4))
    now = datetime.fromtimestamp(START_US / 1e6, UTC) + HOUR

    for minutes in (0, 5):
        path = reconcile([tmp_path], now + timedelta(minutes=minutes), {}).report_path

    with duckdb.connect(str(path), read_only=True) as report:
        counted = report.execute(
            "SELECT class, count(*), sum(occurrences), count(incident_id) FROM exception_events"
            " GROUP BY class ORDER BY class"
        ).fetchall()
    with open_warehouse(tmp_path) as con:
        assert verify(con, [tmp_path]).first_fault is None
    assert counted == [("rate_limited", 1, 1, 1), ("unpriced_model", 1, 2, 1)]
