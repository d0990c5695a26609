"""A storm of failures leaves few rows that stand for all of it, exactly."""

from __future__ import annotations

import signal

import pytest

from anchor_autopatch.core.records import ExceptionEvent
from anchor_autopatch.host.alerting.storms import CAUSES, HELD_AT_MOST, HELD_SECONDS, IN_FULL, Storm
from tests.host.support import read_outboxes, run_python
from tests.host.telling import FAIL


def failure(number=0, **fields):
    """A failure of a provider as the outbox has it."""
    empty = dict.fromkeys(ExceptionEvent._fields)
    plain = {"event_id": f"event-{number}", "occurred_at_us": number, "retried": 0}
    plain |= {"event_class": "billing_exhausted", "provider": "openai", "occurrences": 1}
    return ExceptionEvent(**(empty | plain | fields))


def stood_for(rows):
    """How many failures these rows stand for."""
    return sum(row.occurrences for row in rows)


def test_fifty_failures_a_minute_are_rows_of_their_own():
    storm = Storm()

    rows = [row for n in range(IN_FULL) for row in storm.take(failure(n), n / 10)]

    assert rows == [failure(n) for n in range(IN_FULL)]


@pytest.mark.parametrize("count", [51, 1_049, 1_050, 12_500])
def test_rows_of_a_storm_stand_for_all_of_it(count):
    storm = Storm()

    rows = [row for n in range(count) for row in storm.take(failure(n), n * 60 / 12_500)]
    rows += storm.take_held(60.0, of_all=True)

    assert stood_for(rows) == count
    assert len(rows) <= IN_FULL + 14


def test_no_more_is_held_than_is_said():
    storm = Storm()
    held = written = 0
    for n in range(5_000):
        written += stood_for(storm.take(failure(n), 0.001 * n))
        held = max(held, n + 1 - written)

    assert held < HELD_AT_MOST


def test_what_waited_long_enough_comes_with_the_next_failure():
    storm = Storm()
    for n in range(IN_FULL + 7):
        storm.take(failure(n), 0.0)

    (row,) = storm.take(failure(99), HELD_SECONDS)

    assert (row.event_id, row.occurrences) == ("event-99", 8)
    assert not storm.is_holding


def test_new_cause_in_a_storm_has_a_row_at_once():
    storm = Storm()
    for n in range(IN_FULL + 7):
        storm.take(failure(n), 0.0)

    assert storm.take(failure(event_class="auth"), 0.0) == [failure(event_class="auth")]


@pytest.mark.parametrize(
    "differs",
    [{"service": "shop"}, {"retried": 1}, {"attempts": 2}, {"request_model": "m"}, {"code": "c"}],
)
def test_failures_that_incidents_count_apart_are_held_apart(differs):
    storm = Storm()
    for n in range(IN_FULL):
        storm.take(failure(n), 0.0)
    for n in range(6):
        storm.take(failure(n, **(differs if n % 2 else {})), 0.0)

    rows = storm.take_held(0.0, of_all=True)

    # Of what differs one was new, and a row at once.
    assert sorted(row.occurrences for row in rows) == [2, 3]


def test_failure_that_may_be_billed_is_never_only_counted():
    storm = Storm()

    rows = [row for n in range(200) for row in storm.take(failure(n, receipt_id=f"r-{n}"), 0.0)]

    assert [row.receipt_id for row in rows] == [f"r-{n}" for n in range(200)]


def test_row_for_many_names_nobodys_request():
    storm = Storm()
    for n in range(IN_FULL + 3):
        storm.take(failure(n, user_id=f"user-{n}", request_id="r", trace_id="t"), 0.0)

    (row,) = storm.take_held(0.0, of_all=True)

    assert (row.user_id, row.request_id, row.trace_id) == (None, None, None)


def test_storm_of_causes_ends_in_a_bucket_with_exact_counts():
    storm = Storm()
    causes = 10_000

    rows = [
        row
        for n in range(causes)
        for row in storm.take(failure(n, event_class="app_error", call_site=f"a:{n}"), 0.0)
    ]
    rows += storm.take_held(0.0, of_all=True)

    assert stood_for(rows) == causes
    assert len({row.call_site for row in rows if row.code != "storm"}) == CAUSES
    assert len(rows) < IN_FULL + CAUSES


def test_next_minute_begins_in_full_and_loses_nothing():
    storm = Storm()
    first = [row for n in range(80) for row in storm.take(failure(n), 1.0)]

    second = [row for n in range(30) for row in storm.take(failure(100 + n), 62.0)]

    assert stood_for(first) + stood_for(second) == 110
    assert [row.occurrences for row in second] == [30] + [1] * 30


MANY = "[fail() for _ in range({count})]"


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(3)", "raise ValueError('own')"])
def test_process_that_ends_has_counted_exactly(tmp_path, end):
    run_python("-c", f"{FAIL}{MANY.format(count=777)}\n{end}", home=tmp_path, check=False)

    events = read_outboxes(tmp_path)[1]
    assert stood_for(events) == 777
    assert len(events) <= IN_FULL + 2


def test_threads_and_forks_count_exactly(tmp_path):
    script = """
import os, threading
def work():
    for _ in range(300):
        fail()
threads = [threading.Thread(target=work) for _ in range(4)]
for each in threads: each.start()
pids = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        work()
        import sys
        sys.exit()
    pids.append(pid)
for each in threads: each.join()
for pid in pids: os.waitpid(pid, 0)
"""
    run_python("-W", "ignore", "-c", FAIL + script, home=tmp_path)

    assert stood_for(read_outboxes(tmp_path)[1]) == 7 * 300


def test_killed_process_takes_along_only_what_was_held(tmp_path):
    script = (
        "[fail() for _ in range(2_500)]; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )

    died = run_python("-c", FAIL + script, home=tmp_path, check=False)

    left = stood_for(read_outboxes(tmp_path)[1])
    assert died.returncode == -signal.SIGKILL
    assert 2_500 - HELD_AT_MOST < left <= 2_500


def test_flush_writes_what_was_counted(tmp_path):
    script = """
[fail() for _ in range(90)]
import anchor_autopatch, os
anchor_autopatch.flush()
os._exit(0)
"""
    run_python("-c", FAIL + script, home=tmp_path)

    assert stood_for(read_outboxes(tmp_path)[1]) == 90


def test_storm_that_stops_is_written_while_the_process_lives(tmp_path):
    script = """
import os, time
from anchor_autopatch.host import events
events._HELD_SECONDS = 0.01
[fail() for _ in range(90)]
while events._counting._storm.is_holding:
    time.sleep(0.005)
# The thread that writes gives its lock back when it has written.
assert events._counting._ticking.acquire(timeout=60)
os._exit(0)
"""
    run_python("-c", FAIL + script, home=tmp_path)

    assert stood_for(read_outboxes(tmp_path)[1]) == 90
