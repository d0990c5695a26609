"""What costs money for nothing is in the report, and an incident where somebody should know."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.job.spend.support import NOW

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
LAST = NOW - HOUR


def naive(instant):
    return instant.replace(tzinfo=None)


def again(money, count, **fields):
    """A call that fails, is sent again by the SDK and fails for good at last."""
    for attempt in range(1, count + 1):
        more = {"attempts": attempt, "retried": attempt < count}
        money.fail(LAST + attempt * SECOND, **(fields | more))


# -- unusual hours --


def test_unusual_hour_is_one_incident_of_its_application(told, sink):
    told.steady(20, NOW - timedelta(weeks=5))
    told.steady(30, NOW - timedelta(weeks=5), team="ads", service="banner")
    told.cost(200, LAST)
    told.look()
    told.look(NOW + MINUTE)

    (message,) = [each.json for each in sink.received]
    assert message["title"] == "ranker costs far more than usual"
    assert message["incident"]["message"] == "220.00 USD (est) in an hour where 20.00 is usual"
    ((hour, cost, usual, status, incident_id),) = told.query(
        "SELECT hour, cost_usd, expected_usd, status, incident_id FROM anomalies"
    )
    assert (hour, cost, usual, status) == (naive(LAST), 220, 20, "estimated")
    assert incident_id == message["incident"]["incident_id"]


def test_hours_that_follow_are_the_same_incident(told, sink):
    told.steady(20, NOW - timedelta(weeks=5))
    for hour in range(4):
        told.cost(200, LAST + hour * HOUR)
        told.cost(20, LAST + hour * HOUR)
        told.look(NOW + hour * HOUR)

    # Nobody took it on, so after an hour one is reminded of it, as of any other.
    assert [each.json["kind"] for each in sink.received] == ["opened", "reminder"]


def test_unusual_hour_is_over_three_hours_later(money):
    money.steady(20, NOW - timedelta(weeks=5), NOW + 8 * HOUR)
    money.cost(200, LAST)
    money.look()
    money.look(NOW + 2 * HOUR)
    assert money.incidents() == [("spend_anomaly", "open", None)]

    money.look(NOW + 4 * HOUR)

    assert money.incidents() == [("spend_anomaly", "resolved", None)]


def test_hour_that_is_not_over_is_not_judged(money):
    money.steady(20, NOW - timedelta(weeks=5))
    money.cost(500, NOW + MINUTE)

    assert money.look(NOW + 2 * MINUTE).anomalies == 0


def test_history_is_in_the_report_and_told_to_nobody(told, sink):
    told.steady(20, NOW - timedelta(weeks=6))
    told.cost(300, NOW - timedelta(days=5))
    told.look()

    assert told.query("SELECT count(*), count(incident_id) FROM anomalies") == [(1, 0)]
    assert sink.received == []


def test_late_receipt_changes_the_verdict_on_its_hour(money):
    money.steady(20, NOW - timedelta(weeks=5))
    assert money.look().anomalies == 0

    money.cost(200, NOW - 20 * HOUR)

    assert money.look(NOW + HOUR).anomalies == 1


# -- requests that were sent again --


def test_what_an_sdk_sends_again_is_wasted(money):
    again(money, 3)

    assert money.query(
        "SELECT slot, class, failed_requests, wasted_requests, repeated_by_sdk,"
        " most_requests_of_a_call, wasted_ms, wasted_usd, finding FROM retries"
    ) == [(naive(LAST), "rate_limited", 3, 2, 2, 3, 2000, None, None)]


def test_call_that_fails_once_wastes_nothing(money):
    money.fail()

    assert money.query("SELECT count(*) FROM retries") == [(0,)]


def test_eleven_requests_for_one_call_are_a_storm(told, sink):
    again(told, 11)
    told.look()

    (message,) = [each.json for each in sink.received]
    assert message["title"] == "ranker sends too much to openai again after rate_limited"
    assert "10 of 11 requests repeated one that had failed" in message["incident"]["message"]


def test_ten_requests_for_one_call_are_none(money):
    again(money, 10)
    money.look()

    assert money.incidents() == []


def test_hundred_wasted_requests_in_five_minutes_are_a_storm(money):
    for number in range(50):
        again(money, 3, call_site=f"app:{number}")
    for number in range(200):
        money.cost(1, LAST, call_site=f"good:{number}")
    money.look()

    assert money.incidents() == [("retry_storm", "open", "rate_limited")]


@pytest.mark.parametrize(("good", "finding"), [(0, "retry_storm"), (30, None)])
def test_most_requests_being_repeats_is_a_storm_once_there_are_fifty(money, good, finding):
    for number in range(20):
        again(money, 3, call_site=f"app:{number}")
    for _ in range(good):
        money.cost(1, LAST)

    columns = "sent_requests, wasted_requests, finding"
    assert money.query(f"SELECT {columns} FROM retries") == [(60 + good, 40, finding)]


def test_application_that_calls_again_for_the_same_request_is_seen(money):
    for number in range(4):
        money.fail(LAST + number * SECOND, request_id="req-1", event_class="auth")
        money.fail(LAST + number * SECOND, request_id=f"other-{number}", event_class="auth")
    money.look()

    assert money.incidents() == [("useless_retry", "open", "auth")]
    assert money.query("SELECT wasted_requests, repeated_by_sdk, wasted_ms FROM retries") == [
        (3, 0, 3000)
    ]


def test_sdk_that_tries_an_empty_account_twice_more_is_within_reason(money):
    again(money, 3, event_class="billing_exhausted")
    money.look()

    assert money.incidents() == []


def test_unanswered_request_that_was_sent_again_may_have_cost_its_call(money):
    receipt_id = money.cost("0.25", LAST)
    money.fail(LAST, event_class="timeout", retried=True, receipt_id=receipt_id)

    assert money.query("SELECT wasted_requests, wasted_usd FROM retries") == [(1, Decimal("0.25"))]


def test_cost_that_nobody_knows_is_null_and_no_zero(money):
    receipt_id = money.cost(None, LAST)
    money.fail(LAST, event_class="timeout", retried=True, receipt_id=receipt_id)

    assert money.query("SELECT wasted_usd FROM retries") == [(None,)]


def test_row_that_stands_for_a_storm_counts_as_often_as_it_says(money):
    # Of different requests; the last one's id is that of the row.
    money.fail(LAST, occurrences=70, retried=True, request_id="req-1")
    money.fail(LAST, occurrences=40, attempts=2, request_id="req-1")
    money.fail(LAST, code="brand_new_limit", occurrences=5)
    money.fail(LAST, code="storm", occurrences=5)

    columns = "failed_requests, wasted_requests, sent_requests, most_requests_of_a_call"
    assert money.query(f"SELECT {columns} FROM retries") == [(120, 70, 120, 2)]
    assert money.query("SELECT code, failed_requests FROM new_error_codes") == [
        ("brand_new_limit", 5)
    ]


# -- failed calls --


def test_failed_and_broken_calls_are_shown_with_what_they_cost(money):
    broken = money.cost("0.5", LAST, outcome="partial", stream=True)
    money.fail(LAST, event_class="partial_stream", receipt_id=broken)
    money.cost(None, LAST, outcome="error")
    money.cost("0.1", LAST, outcome="cancelled")
    money.cost(7, LAST)

    assert money.query(
        "SELECT outcome, class, stream, calls, unpriced_calls, estimated_cost_usd, status"
        " FROM failed_calls ORDER BY outcome"
    ) == [
        ("cancelled", None, False, 1, 0, Decimal("0.1"), "estimated"),
        ("error", None, False, 1, 1, None, "estimated"),
        ("partial", "partial_stream", True, 1, 0, Decimal("0.5"), "estimated"),
    ]


# -- codes --


def test_code_that_no_rule_knows_is_listed(money):
    money.fail(code="brand_new_limit", http_status=429, exception_type="RateLimitError")
    money.fail(code="insufficient_quota", http_status=429, event_class="billing_exhausted")
    money.fail(code="429", http_status=429)
    money.fail(code=None)

    assert money.query("SELECT provider, code, class, failed_requests FROM new_error_codes") == [
        ("openai", "brand_new_limit", "rate_limited", 1)
    ]


# -- circuits --


def outcomes(money, letters, start=LAST):
    """Calls a second apart: `x` fails, `.` goes well, `a` is refused for its own fault."""
    for place, letter in enumerate(letters):
        at = start + place * SECOND
        if letter == ".":
            money.cost(1, at)
        else:
            money.fail(at, event_class={"x": "provider_5xx", "a": "bad_request"}[letter])


@pytest.mark.parametrize(
    ("letters", "circuit", "openings"),
    [
        ("....", "closed", 0),
        ("xxxx", "closed", 0),
        ("xxxxx", "open", 1),
        ("xxxx.x", "closed", 0),
        ("aaaaaaa", "closed", 0),
        ("xxaxxax", "open", 1),
        ("xxxxx.", "half_open", 1),
        ("xxxxx..", "half_open", 1),
        ("xxxxx..x", "open", 1),
        ("xxxxx...", "closed", 1),
        ("xxxxx..x..", "half_open", 1),
        ("xxxxx...x", "closed", 1),
        ("xxxxx...xxxxx", "open", 2),
    ],
)
def test_circuit_is_what_a_breaker_would_have_made_of_it(money, letters, circuit, openings):
    outcomes(money, letters)

    assert money.query("SELECT circuit, circuit_openings FROM provider_health") == [
        (circuit, openings)
    ]


def test_circuit_stays_as_it_was_while_nothing_is_tried(money):
    outcomes(money, "xxxxx", NOW - 3 * HOUR)
    outcomes(money, "a", NOW - 2 * HOUR)
    outcomes(money, "...", NOW - HOUR)

    found = money.query("SELECT hour, circuit FROM provider_health ORDER BY hour")

    assert [circuit for _, circuit in found] == ["open", "open", "closed"]
    assert found[0][0] == datetime(2026, 11, 11, 9)  # noqa: DTZ001 - the report has no zones
