"""What is told arrives once, whatever the sink or our own process does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anchor_autopatch.core.alerting.rules import Sink
from anchor_autopatch.job.incidents.store import Store
from anchor_autopatch.job.verify.alerts import check_alerts
from tests.job.delivery.faulty_sink import FaultySink
from tests.job.delivery.support import Alerted
from tests.job.incidents.support import START
from tests.job.outboxes import event

CHECKOUT = Path(__file__).resolve().parents[3]


def test_message_is_committed_before_it_is_sent(alerted, sink):
    alerted.fail()
    before = [each.state for each in alerted.deliveries()]

    alerted.send(minutes=1)

    assert (before, [each.state for each in alerted.deliveries()]) == (["pending"], ["delivered"])
    assert sink.received[0].json["incident"]["class"] == "auth"


def test_what_arrived_is_not_sent_again(alerted, sink):
    alerted.fail()

    reports = [alerted.send(minutes=minutes).delivered for minutes in (1, 2, 60)]

    assert (reports, len(sink.received)) == ([1, 0, 0], 1)


def test_sink_that_was_down_for_72_hours_gets_all_once(alerted, sink):
    sink.status = 503
    for hour in range(0, 72, 6):
        alerted.fail(1 + 3600 * hour, hours=hour, minutes=1)
        alerted.send(hours=hour, minutes=30)
    alerted.send(hours=71, minutes=59)
    sink.status = 200

    alerted.look(hours=72)
    alerted.send(hours=72, seconds=59)

    states = {each.state for each in alerted.deliveries()}
    opened = [
        each for each in sink.received if each.status == 200 and each.json["kind"] == "opened"
    ]
    assert states == {"delivered"}
    assert len(sink.taken) == len(set(sink.taken)) == len(alerted.deliveries())
    assert len(opened) == 12


def test_message_keeps_its_key_and_body_over_all_tries(alerted, sink):
    sink.status = 500
    alerted.fail()
    for second in (0, 10, 20):
        alerted.send(minutes=1, seconds=second)
    sink.status = 200
    alerted.send(minutes=5)

    assert len({(each.key, each.body) for each in sink.received}) == 1
    assert [each.outcome for each in alerted.attempts()] == ["failed"] * 3 + ["delivered"]


def test_retries_wait_longer_and_longer_but_no_minute(alerted, sink):
    sink.status = 500
    alerted.fail()
    waits = []
    now = 60.0
    for _ in range(9):
        alerted.send(seconds=now)
        due = alerted.deliveries()[0].next_try_us
        waits.append(due / 1e6 - (START.timestamp() + now))
        now = due / 1e6 - START.timestamp()

    assert waits[:6] == sorted(waits[:6])
    assert waits[0] < 1.3
    assert 50 <= waits[-1] <= 60


def test_message_is_a_dead_letter_after_72_hours(alerted, sink):
    sink.status = 500
    alerted.fail()
    for hours in (1, 71, 73):
        alerted.send(hours=hours)

    dead = alerted.deliveries()[0]
    assert (dead.state, dead.next_try_us) == ("dead", None)
    assert dead.last_error == "HTTP 500: ok"


def test_message_that_nobody_wants_does_not_stop_the_others(alerted, sink):
    sink.status = 422
    alerted.fail(1)
    for minute in range(1, 6):
        alerted.send(minutes=minute)
    sink.status = 200
    alerted.fail(2, minutes=7)
    alerted.send(minutes=7)

    assert [each.state for each in alerted.deliveries()] == ["dead", "delivered"]


def test_second_sink_is_told_after_three_failures(tmp_path, sink):
    with FaultySink() as standby:
        sink.status = 500
        alerted = Alerted(
            tmp_path,
            [
                Sink("ops", "webhook", url=sink.url, allow_private=True, second="night"),
                Sink("night", "webhook", url=standby.url, allow_private=True, standby=True),
            ],
        )
        alerted.fail()
        told = []
        for minute in range(1, 6):
            alerted.send(minutes=minute)
            told.append(len(standby.received))

    assert told == [0, 0, 1, 1, 1]
    assert standby.received[0].key != sink.received[0].key


def test_sink_that_hangs_does_not_hold_up_another(tmp_path, sink):
    with FaultySink() as healthy:
        sink.trickle_s = 0.02
        alerted = Alerted(
            tmp_path,
            [
                Sink("slow", "webhook", url=sink.url, allow_private=True),
                Sink("fast", "webhook", url=healthy.url, allow_private=True),
            ],
        )
        alerted.fail()
        report = alerted.send(budget_s=0.3, minutes=1)

    assert (report.delivered, report.failed) == (1, 1)
    assert "no whole answer within 0.3 s" in [each.error for each in alerted.attempts()][-1]


def test_huge_answer_is_read_no_further_than_needed(alerted, sink):
    sink.answer = b"x" * 10_000_000
    sink.status = 500
    alerted.fail()
    alerted.send(minutes=1)

    assert len(alerted.deliveries()[0].last_error) < 300


def test_redirect_is_not_followed(alerted, sink):
    with FaultySink() as inner:
        sink.status, sink.headers = 307, {"Location": inner.url}
        alerted.fail()
        alerted.send(minutes=1)

    assert inner.received == []
    assert alerted.deliveries()[0].last_error.startswith("HTTP 307")


def test_sink_may_ask_for_a_pause(alerted, sink):
    sink.status, sink.headers = 429, {"Retry-After": "120"}
    alerted.fail()
    alerted.send(minutes=1)
    for seconds in (30, 60, 110):
        alerted.send(minutes=1, seconds=seconds)

    assert len(sink.received) == 1


def test_one_sender_at_a_time(alerted, sink):
    alerted.fail()
    from anchor_autopatch.job.delivery.sending import SENDER_LOCK
    from anchor_autopatch.job.lease import lease

    with lease(alerted.home / SENDER_LOCK):
        assert alerted.send(minutes=1).delivered == 0
    assert alerted.send(minutes=1).delivered == 1


KILLED = """
import sys
from pathlib import Path
from anchor_autopatch.core.alerting.rules import Sink
from tests.job.delivery.support import Alerted
alerted = Alerted(Path(sys.argv[1]), [Sink("ops", "webhook", url=sys.argv[2], allow_private=True)])
alerted.look(minutes=1)
alerted.send(minutes=1)
"""


@pytest.mark.parametrize(
    ("step", "sends"),
    [
        ("incidents.done", 1),
        ("incidents.committed", 1),
        ("delivery.sending", 1),
        ("delivery.sent", 2),
    ],
)
def test_process_killed_on_the_way_delivers_under_the_same_key(alerted, sink, step, sends):
    alerted.happen(event(1, event_class="auth"))
    environ = {**os.environ, "ANCHOR_CRASH_POINT": f"{step}:1"}
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(alerted.home), sink.url],
        env=environ,
        cwd=CHECKOUT,
        check=False,
    )

    alerted.look(minutes=1)
    alerted.send(minutes=1)

    assert died.returncode == -signal.SIGKILL
    assert (len(sink.received), len({each.key for each in sink.received})) == (sends, 1)
    assert [each.state for each in alerted.deliveries()] == ["delivered"]


def test_the_chain_of_tries_shows_who_changed_one(alerted, sink):
    alerted.fail()
    alerted.send(minutes=1)
    assert alerted.chain_breaks() == []

    with Store(alerted.home) as store:
        store.con.execute("UPDATE delivery_attempt SET outcome = 'failed'")

    assert alerted.chain_breaks() == ["delivery_attempt 1 is not as it was written"]


@pytest.mark.parametrize("statement", ["DELETE FROM delivery_attempt WHERE attempt_no = 2"])
def test_the_chain_of_tries_shows_a_cut_off_end(alerted, sink, statement):
    alerted.fail(1)
    alerted.fail(2, minutes=2)
    alerted.send(minutes=3)

    with Store(alerted.home) as store:
        store.con.execute(statement)

    assert alerted.chain_breaks() == ["delivery_attempt ends with 1, it was noted to end with 2"]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE incident SET event_count = 9", "counts 9 events, has 1"),
        ("UPDATE delivery_attempt SET at_us = 0", "delivery_attempt 1 is not as it was written"),
        ("UPDATE delivery SET delivery_key = 'x'", "message x is noted as delivered"),
    ],
)
def test_verify_names_what_was_changed(alerted, sink, statement, fault):
    alerted.fail()
    alerted.send(minutes=1)
    before = check_alerts(alerted.home).faults

    with Store(alerted.home) as store:
        store.con.execute(statement)

    after = check_alerts(alerted.home).faults
    assert before == ()
    assert fault in after[0]


def test_missing_secret_is_named_and_the_message_waits(tmp_path, sink):
    hidden = Sink("ops", "webhook", url=sink.url, allow_private=True, secret_env="HOOK_SECRET")
    alerted = Alerted(tmp_path, [hidden])
    alerted.fail()
    alerted.send(minutes=1)

    waiting = alerted.deliveries()[0]
    assert (waiting.state, sink.received) == ("pending", [])
    assert waiting.last_error == "Variable HOOK_SECRET of sink 'ops' is not set"


def test_secrets_are_nowhere_in_the_files(tmp_path, sink):
    environ = {"HOOK": f"{sink.url}/T0SECRETPATH", "KEY": "canary-of-the-signature"}
    hidden = Sink("ops", "webhook", url_env="HOOK", secret_env="KEY", allow_private=True)
    alerted = Alerted(tmp_path, [hidden], environ)
    sink.status = 500
    alerted.fail()
    alerted.send(minutes=1)
    sink.server.server_close()
    alerted.send(minutes=3)

    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert sink.received[0].path.endswith("T0SECRETPATH")
    assert b"T0SECRETPATH" not in stored
    assert b"canary-of-the-signature" not in stored


def test_files_are_private(alerted):
    alerted.fail()

    modes = {path.name: path.stat().st_mode & 0o777 for path in alerted.home.glob("incidents.db*")}
    assert set(modes.values()) == {0o600}


def test_storm_of_incidents_is_one_more_message(alerted, sink):
    alerted.happen(
        *(event(1, event_id=f"e-{n}", event_class="auth", code=f"k-{n}") for n in range(60))
    )
    alerted.look(minutes=1)
    alerted.send(minutes=1)
    kinds = [each.json["kind"] for each in sink.received]

    assert (kinds.count("opened"), kinds.count("storm")) == (20, 1)
    assert sink.received[-1].json["title"] == "40 more incidents opened within a minute"
    assert alerted.look(minutes=1, seconds=30).messages == 0
