"""`anchor watch` beside living writers: told within seconds, exact counts in a storm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.crash_points import watched
from anchor_autopatch.job.incidents.running import look_into_outboxes
from anchor_autopatch.job.incidents.store import Store
from tests.job.delivery.faulty_sink import FaultySink
from tests.job.incidents.support import START
from tests.job.outboxes import Outbox, event, living

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def environ(tmp_path):
    """Environment of a side-car whose alerts go to a receiver on the loopback."""
    with FaultySink() as sink:
        told = {"ANCHOR_HOME": str(tmp_path), "ANCHOR_ALERT_URL": sink.url}
        yield sink, {**os.environ, **told, "ANCHOR_ALERT_ALLOW_PRIVATE": "1"}


@pytest.fixture
def side_car(environ):
    """A running `anchor watch`, and what it tells."""
    sink, env = environ
    words = [sys.executable, "-m", "anchor_autopatch", "watch", "--interval", "0.1", "--json"]
    with subprocess.Popen(words, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE) as process:
        yield sink, process
        process.kill()


def wait_for(condition, seconds=120.0):
    """Waits until it holds; the seconds it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.slow
def test_failures_are_told_within_seconds(side_car, tmp_path):
    sink, _ = side_car
    took = []
    with living(tmp_path) as outbox:
        for number in range(1, 6):
            failed = event(number, event_class="auth", code=f"key-{number}")
            outbox.write(failed._replace(occurred_at_us=int(time.time() * 1e6)))
            took.append(wait_for(lambda wanted=number: len(sink.taken) >= wanted))

    # The first waits for the process to start, too. A second here; the bound is a busy machine's.
    assert max(took[1:]) < 30


@pytest.mark.slow
def test_side_car_ends_when_it_is_told_to(side_car, tmp_path):
    sink, process = side_car
    with living(tmp_path) as outbox:
        outbox.write(event(1, event_class="auth", occurred_at_us=int(time.time() * 1e6)))
        wait_for(lambda: sink.taken)

    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 0


@pytest.mark.slow
def test_storm_of_eight_processes_is_one_message_and_exact(side_car, tmp_path):
    sink, _ = side_car
    now = int(time.time() * 1e6)
    writers = [Thread(target=storm, args=(tmp_path, writer, now)) for writer in range(8)]

    for each in writers:
        each.start()
    for each in writers:
        each.join()

    wait_for(lambda: counted(tmp_path) >= 10_000 and sink.taken)
    opened = [each for each in sink.received if each.json["kind"] == "opened"]
    assert (counted(tmp_path), len(opened)) == (10_000, 1)


def storm(home, writer, now):
    """One process of eight: 1,250 failures of one cause in five commits."""
    with living(home, name=f"writer-{writer}") as outbox:
        for part in range(5):
            outbox.con.execute("BEGIN")
            ids = (f"{writer}-{part}-{number}" for number in range(250))
            failed = event(1, event_class="auth", service=f"app-{writer}", occurred_at_us=now)
            outbox.write(*(failed._replace(event_id=event_id) for event_id in ids))
            outbox.con.execute("COMMIT")


def counted(home):
    """Events of all incidents."""
    with Store(home) as store:
        return sum(each.event_count for each in store.incidents())


def test_one_round_says_what_it_found(world, monkeypatch, capsys):
    monkeypatch.setenv("ANCHOR_HOME", str(world.home))
    monkeypatch.delenv("ANCHOR_ALERT_URL", raising=False)
    world.happen(event(1, event_class="auth"))

    codes = [main(["watch", "--once", "--json"]), main(["watch", "--once"])]

    assert codes == [1, 0]
    assert '"events": 1' in capsys.readouterr().out


def test_damaged_outbox_does_not_hide_the_others(world):
    world.happen(event(1, event_class="auth"))
    (world.home / "outbox" / "aaa.db").write_bytes(b"x" * 2000)
    (world.home / "outbox" / "zzz.db").write_bytes(b"")

    assert world.look(minutes=1).events == 1


def test_file_that_nobody_wrote_to_is_not_opened_again(world):
    read = {}
    outbox = Outbox(world.home).write(event(1, event_class="auth"))

    def look():
        with Store(world.home) as store:
            return look_into_outboxes(store, [world.home], world.settings, START, read).events

    first = look()
    with Store(world.home) as store:
        store.con.execute("DELETE FROM intake")
        store.con.execute("DELETE FROM incident_event")
    unchanged = look()
    outbox.write(event(2, event_class="auth")).die()

    assert (first, unchanged, look()) == (1, 0, 2)


def test_round_that_was_lost_is_read_again(world):
    read = {}
    world.happen(event(1, event_class="auth"))

    def die(reached):
        if reached == "incidents.evaluated":
            raise RuntimeError

    def look():
        with Store(world.home) as store:
            return look_into_outboxes(store, [world.home], world.settings, START, read).events

    with watched(die), pytest.raises(RuntimeError):
        look()

    assert look() == 1
