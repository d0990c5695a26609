"""A process tells first, and the job takes over: one incident, one message, one key."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest

from anchor_autopatch.core.alerting.rules import Sink
from anchor_autopatch.job.delivery.queue import enqueue
from anchor_autopatch.job.incidents.actions import silence
from anchor_autopatch.job.incidents.claiming import Board
from anchor_autopatch.job.verify.alerts import check_alerts
from tests.host.support import run_python
from tests.host.telling import FAIL, operator
from tests.job.delivery.faulty_sink import FaultySink
from tests.job.delivery.support import Alerted
from tests.job.incidents.support import START

DAY = 24


class Watched(Alerted):
    """A home whose applications fail in real time, with a job whose clock the test moves."""

    def __init__(self, home, sink):
        ops = Sink("ANCHOR_ALERT_URL", "webhook", url=sink.url, allow_private=True)
        super().__init__(home, [ops])
        self.sink = sink
        self.began = datetime.now(UTC) - START

    def run(self, script, **variables):
        """An application from its start to its end."""
        given = operator(self.sink) | variables
        return run_python("-c", FAIL + script, home=self.home, check=False, **given)

    def round(self, **after):
        """What `anchor watch` does, so long after now."""
        later = self.began + timedelta(**after)
        return self.look(seconds=later.total_seconds()), self.send(seconds=later.total_seconds())


@pytest.fixture
def watched(tmp_path):
    """A home, its sink, and a job that looks when it is asked to."""
    tmp_path.chmod(0o700)
    with FaultySink() as sink:
        yield Watched(tmp_path, sink)


def test_job_takes_over_what_the_process_has_told(watched):
    watched.run("[fail() for _ in range(7)]; told()")
    watched.round(seconds=1)
    watched.round(minutes=5)

    (told,) = watched.sink.received
    assert watched.only().incident_id == told.json["incident"]["incident_id"]
    assert watched.only().event_count == 7
    assert [each.state for each in watched.deliveries()] == ["delivered"]
    assert [each.attempt for each in watched.attempts()] == [1]
    assert watched.chain_breaks() == []
    assert check_alerts(watched.home).faults == ()


def test_what_the_job_knows_is_not_told_by_a_process(watched):
    watched.run("fail(); told()", ANCHOR_ALERT_URL="")
    watched.round(seconds=1)
    watched.run("fail(); told()")
    watched.round(seconds=2)

    assert len(watched.sink.received) == 1
    assert watched.only().event_count == 2


@pytest.mark.parametrize(
    ("step", "sends"),
    [
        ("alert.telling", 1),
        ("alert.claimed", 1),
        ("delivery.sending", 1),
        ("delivery.sent", 2),
        ("alert.noted", 1),
    ],
)
def test_process_killed_on_the_way_is_told_of_under_the_same_key(watched, step, sends):
    died = watched.run("fail(); told()", ANCHOR_CRASH_POINT=f"{step}:1")
    watched.round(seconds=1)
    watched.round(minutes=1)

    assert died.returncode == -signal.SIGKILL
    assert len(watched.sink.received) == sends
    assert (
        len({(each.key, each.json["incident"]["incident_id"]) for each in watched.sink.received})
        == 1
    )
    assert [each.state for each in watched.deliveries()] == ["delivered"]


@pytest.mark.parametrize("step", ["incidents.done", "incidents.committed"])
def test_job_killed_while_it_takes_over_tells_once(watched, step):
    from anchor_autopatch.core.crash_points import watched as stepping

    watched.run("fail(); told()")

    def die(reached):
        if reached == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), stepping(die):
        watched.round(seconds=1)
    watched.round(minutes=1)

    assert len(watched.sink.received) == 1
    assert [each.state for each in watched.deliveries()] == ["delivered"]


def test_job_leaves_the_message_to_a_process_that_is_at_work(watched):
    watched.run("fail(); told()", ANCHOR_CRASH_POINT="alert.claimed:1")

    states = []
    for seconds in (1, 10, 25):
        watched.round(seconds=seconds)
        states.append(len(watched.sink.received))

    assert states == [0, 0, 1]


def test_sink_that_is_down_for_72_hours_hears_of_all_once(watched):
    watched.sink.status = 503
    watched.run("fail('shop:pay'); fail('shop:search'); told()")
    for hours in range(0, 72, 4):
        watched.round(hours=hours, minutes=1)
    watched.sink.status = 200
    for _ in range(3):
        watched.round(hours=71, minutes=59)

    keys = [each.key for each in watched.sink.received if each.json["kind"] == "opened"]
    assert len(set(keys)) == 2
    taken = [key for key in watched.sink.taken if key in keys]
    assert len(taken) == len(set(taken)) == 2
    assert {each.state for each in watched.deliveries()} == {"delivered"}


def test_failed_try_of_the_process_counts_as_the_first(watched):
    watched.sink.status = 500
    watched.run("fail(); told()")
    watched.round(milliseconds=1)
    watched.sink.status = 200
    watched.round(minutes=1)

    assert [each.outcome for each in watched.attempts()] == ["failed", "delivered"]
    assert len({(each.key, each.body) for each in watched.sink.received}) == 1


def test_cause_that_comes_back_within_a_day_is_the_jobs_to_tell(watched):
    watched.run("fail(); told()")
    watched.round(seconds=1)
    watched.round(minutes=30)
    ended = watched.only()
    watched.run("fail(); told()")

    opened = [each for each in watched.sink.received if each.json["kind"] == "opened"]
    assert (ended.state, len(opened)) == ("resolved", 1)


def test_claim_of_what_is_long_over_is_gone(watched):
    watched.run("fail(); told()")
    watched.round(seconds=1)
    watched.round(minutes=30)
    held = len(list((watched.home / "alerts").glob("*.json")))
    watched.round(hours=DAY + 1)

    assert (held, list((watched.home / "alerts").glob("*.json"))) == (1, [])


def test_silence_of_the_job_keeps_processes_quiet(watched):
    def hush(store):
        silence(store, "class=app_error", START + timedelta(days=9_999), "ada", "test", START)
        Board([watched.home]).silence(store, 0)

    watched.within(hush)
    watched.run("fail(); told()")
    watched.round(seconds=1)

    assert watched.sink.received == []
    assert watched.only().state == "open"


def test_mail_and_other_sinks_are_told_by_the_job_with_the_same_words(tmp_path):
    tmp_path.chmod(0o700)
    with FaultySink() as sink, FaultySink() as other:
        watched = Watched(tmp_path, sink)
        second = Sink("other", "webhook", url=other.url, allow_private=True)
        rules = watched.settings.alerts
        alerts = rules._replace(sinks=(*rules.sinks, second))
        watched.settings = watched.settings._replace(alerts=alerts)
        watched.run("fail(); told()")
        watched.round(seconds=1)

        words = [each.json | {"key": None} for each in (*sink.received, *other.received)]
        assert len(words) == 2
        assert words[0] == words[1]


def test_message_that_the_job_made_keeps_its_own_time(watched):
    def add(store):
        alert = {"key": "x:1", "kind": "test"}
        enqueue(store.con, "ANCHOR_ALERT_URL", alert, 1, due_us=5)
        return store.con.execute("SELECT created_at_us, next_try_us FROM delivery").fetchone()

    assert watched.within(add) == (1, 5)
