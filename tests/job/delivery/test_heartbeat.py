"""The dead-man's switch: pinged while all is well, silent when anything is not."""

from __future__ import annotations

import tomllib
from datetime import timedelta

import pytest

from anchor_autopatch.cli.doctor_checks import alerts as doctor
from anchor_autopatch.core.alerting.rules import Heartbeat, Sink, read_rules
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.delivery.heartbeat import note_round, seen
from tests.job.delivery.faulty_sink import FaultySink
from tests.job.delivery.support import Alerted
from tests.job.incidents.support import START

BEAT = Heartbeat("BEAT", allow_private=True)


class Beating(Alerted):
    """A home whose rounds are told to a listener."""

    def __init__(self, home, listener):
        lost = Sink("ops", "webhook", url=f"http://127.0.0.1:{listener.server.server_port}/none")
        super().__init__(home, [lost])
        self.listener = listener

    def round(self, beat=BEAT, url=None, **after):
        """One round, so long after START; what is known of it then."""
        environ = {"BEAT": url or self.listener.url}
        now = START + timedelta(**after)
        self.within(lambda store: note_round(store, beat, environ, now))
        return self.within(lambda store: seen(store.con))


@pytest.fixture
def beating(tmp_path, sink):
    """A home, and the listener for its silence."""
    return Beating(tmp_path, sink)


def test_round_that_went_well_is_told_once_in_five_minutes(beating):
    for seconds in range(0, 660, 60):
        beating.round(seconds=seconds)

    assert len(beating.listener.received) == 3
    assert {each.body for each in beating.listener.received} == {b""}


def test_ping_that_failed_is_tried_in_the_next_round(beating):
    beating.listener.status = 500
    failed = beating.round(seconds=0)["ping"].error
    beating.listener.status = 200

    assert failed == "HTTP 500: ok"
    assert beating.round(seconds=1)["ping"].error is None


def test_message_that_waits_for_its_sink_silences_the_heartbeat(beating):
    beating.fail()

    beating.round(minutes=10)
    late = beating.round(minutes=30)

    assert len(beating.listener.received) == 1
    assert late["round"].error == "messages wait for their sink"


def test_round_is_noted_where_nobody_listens(beating):
    assert beating.round(beat=None, seconds=7).keys() == {"round"}
    assert beating.listener.received == []


@pytest.mark.parametrize(
    ("url", "why"),
    [("https://169.254.169.254/", "metadata"), ("http://10.0.0.1:9/", "Plain http")],
)
def test_heartbeat_leads_nowhere_it_may_not(beating, url, why):
    told = beating.round(beat=Heartbeat("BEAT"), url=url, seconds=0)

    assert why in told["ping"].error


def test_missing_variable_is_named(beating):
    told = beating.round(beat=Heartbeat("ELSEWHERE"), seconds=0)

    assert told["ping"].error == "Variable ELSEWHERE of [alerts.heartbeat] is not set"


def test_heartbeat_is_read_from_the_policy():
    given = tomllib.loads('[alerts.heartbeat]\nurl_env = "BEAT"\nevery = "1m"\n')

    assert read_rules(given, {}).heartbeat == Heartbeat("BEAT", 60_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "[alerts]\nheartbeat = 5",
        "[alerts.heartbeat]\nevery = '1m'",
        "[alerts.heartbeat]\nurl_env = 'B'\nurl = 'https://x'",
        "[alerts.heartbeat]\nurl_env = 'B'\nevery = 'often'",
    ],
)
def test_heartbeat_that_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError, match="heartbeat"):
        read_rules(tomllib.loads(text), {})


def test_doctor_says_when_somebody_last_looked(beating, monkeypatch):
    monkeypatch.setenv("ANCHOR_HOME", str(beating.home))
    beating.round(seconds=0)

    soon = [each.status for each in doctor.check(START.timestamp() + 30)]
    late = [each.status for each in doctor.check(START.timestamp() + 3 * 86_400)]

    assert (soon, late) == (["ok", "ok"], ["problem", "ok"])


def test_doctor_says_that_nobody_looks(tmp_path, monkeypatch):
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    monkeypatch.setenv("ANCHOR_ALERT_URL", "https://ops.example/")

    assert [each.status for each in doctor.check(0.0)] == ["note"]


def test_watch_tells_its_heartbeat(tmp_path, monkeypatch):
    from anchor_autopatch.cli import main

    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    with FaultySink() as listener:
        monkeypatch.setenv("BEAT", listener.url)
        (tmp_path / "anchor.toml").write_text(
            '[alerts.heartbeat]\nurl_env = "BEAT"\nallow_private = true\n'
        )

        code = main(["watch", "--once"])

    assert (code, len(listener.received)) == (0, 1)
