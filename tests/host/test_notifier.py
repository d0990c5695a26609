"""The process itself tells of a new incident: once for the host, safely, and beside its work."""

from __future__ import annotations

import json

import pytest

from tests.host.support import read_outboxes, run_python
from tests.host.telling import FAIL, operator
from tests.job.delivery.faulty_sink import FaultySink


@pytest.fixture
def sink():
    """A receiver on the loopback."""
    with FaultySink() as running:
        yield running


def test_first_failure_is_told_at_once(tmp_path, sink):
    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **operator(sink))

    (message,) = sink.received
    incident = message.json["incident"]
    assert (incident["class"], incident["severity"]) == ("app_error", "error")
    assert message.key == f"{incident['incident_id']}:1:ANCHOR_ALERT_URL"


def test_event_is_committed_when_the_message_arrives(tmp_path, sink):
    committed = []
    sink.before_answer = lambda: committed.append(len(read_outboxes(tmp_path)[1]))

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **operator(sink))

    assert committed == [1]


def test_same_cause_is_told_once(tmp_path, sink):
    script = "[fail() for _ in range(40)]; told(); fail(); told()"

    run_python("-c", FAIL + script, home=tmp_path, **operator(sink))
    run_python("-c", FAIL + script, home=tmp_path, **operator(sink))

    assert len(sink.received) == 1
    assert len(read_outboxes(tmp_path)[1]) == 82


FORKED = """
import os, sys
ready, go = os.pipe(), os.pipe()
children = []
for _ in range(32):
    pid = os.fork()
    if not pid:
        os.close(go[1])
        os.write(ready[1], b".")
        os.read(go[0], 1)
        fail()
        told()
        os._exit(0)
    children.append(pid)
for _ in children:
    os.read(ready[0], 1)
os.close(go[1])
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
"""


def test_of_32_workers_one_tells(tmp_path, sink):
    run_python("-c", FAIL + FORKED, home=tmp_path, **operator(sink))

    assert (len(sink.received), len(read_outboxes(tmp_path)[1])) == (1, 32)


def test_fork_while_telling_leaves_the_child_able_to_tell(tmp_path, sink):
    script = """
import os
fail("shop:parent")
pid = os.fork()
fail("shop:parent" if pid else "shop:child")
told()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
"""
    run_python("-c", FAIL + script, home=tmp_path, **operator(sink))

    sites = sorted(each.json["incident"]["call_site"] for each in sink.received)
    assert sites == ["shop:child", "shop:parent"]


@pytest.mark.parametrize("variables", [{}, {"ANCHOR_ALERT_URL": ""}])
def test_without_a_sink_there_is_no_thread_and_nothing_is_loaded(tmp_path, variables):
    script = """
import sys, threading
before = len(sys._current_frames())
fail()
assert len(sys._current_frames()) == before
assert "anchor_autopatch.host.alerting.first" not in sys.modules
assert "http.client" not in sys.modules and "ssl" not in sys.modules
"""
    run_python("-c", FAIL + script, home=tmp_path, **variables)

    assert not (tmp_path / "alerts").exists()


def test_sink_that_hangs_holds_up_neither_the_call_nor_the_end(tmp_path, sink):
    sink.trickle_s = 0.05
    script = """
import time
fail()
fail("shop:search")
started = time.perf_counter()
while telling._teller.thread is None and time.perf_counter() - started < 30:
    time.sleep(0.001)
began = time.perf_counter()
fail("shop:cart")
telling._last_moment()
# Less than the one try that is under way takes.
assert time.perf_counter() - began < 4
"""
    run_python("-c", FAIL + script, home=tmp_path, **operator(sink))

    assert len(read_outboxes(tmp_path)[1]) == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/hook",
        "https://127.0.0.1:9/hook",
        "https://localhost:9/",
        "https://[::1]:9/",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f000001:9/",
        "https://10.0.0.7/",
        "file:///etc/passwd",
    ],
)
def test_address_of_ones_own_network_is_refused(tmp_path, url):
    run_python("-c", FAIL + "fail(); told()", home=tmp_path, ANCHOR_ALERT_URL=url)

    (tries,) = (tmp_path / "alerts").glob("*.tries")
    assert json.loads(tries.read_text())["outcome"] == "refused"


def test_metadata_address_is_refused_even_when_private_ones_are_allowed(tmp_path):
    given = {"ANCHOR_ALERT_URL": "http://169.254.169.254/", "ANCHOR_ALERT_ALLOW_PRIVATE": "1"}

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **given)

    (tries,) = (tmp_path / "alerts").glob("*.tries")
    assert json.loads(tries.read_text())["outcome"] == "refused"


def test_name_that_leads_into_ones_own_network_is_refused(tmp_path, sink):
    script = """
import socket
from anchor_autopatch.core.alerting import addresses
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, port, **more: real("127.0.0.1", port, **more)
fail(); told()
"""
    policy = '[[alerts.sink]]\nname = "ops"\nkind = "webhook"\nurl = "https://rebinding.example/"\n'
    (tmp_path / "anchor.toml").write_text(policy)

    run_python("-c", FAIL + script, home=tmp_path)

    (tries,) = (tmp_path / "alerts").glob("*.tries")
    assert "an address of one's own network" in tries.read_text()


def test_redirect_is_not_followed_and_proxies_are_ignored(tmp_path, sink):
    with FaultySink() as inner:
        sink.status, sink.headers = 307, {"Location": inner.url}
        given = operator(sink) | {"http_proxy": inner.url, "HTTP_PROXY": inner.url}
        run_python("-c", FAIL + "fail(); told()", home=tmp_path, **given)

    assert (len(sink.received), inner.received) == (1, [])


def test_sinks_of_the_policy_are_told_as_they_ask(tmp_path, sink):
    (tmp_path / "anchor.toml").write_text(
        '[[alerts.sink]]\nname = "ops"\nkind = "slack"\nurl_env = "OPS"\nallow_private = true\n'
        '[[alerts.sink]]\nname = "money"\nkind = "webhook"\nurl_env = "OPS"\n'
        'allow_private = true\nclasses = ["billing_exhausted"]\n'
        '[[alerts.sink]]\nname = "pager"\nkind = "pagerduty"\nsecret_env = "MISSING"\n'
    )

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, OPS=sink.url)

    (message,) = sink.received
    assert message.key.endswith(":1:ops")
    assert "blocks" in message.json


def test_silence_keeps_the_process_quiet(tmp_path, sink):
    folder = tmp_path / "alerts"
    folder.mkdir(mode=0o700)
    silence = {"silence_id": "s", "matcher": "class=app_error", "until_us": 2**60}
    silence |= {"author": "ada", "reason": "load test", "created_at_us": 1}
    (folder / "silences").write_text(json.dumps([silence]))

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **operator(sink))

    assert sink.received == []


def test_storm_of_causes_is_left_to_the_job(tmp_path, sink):
    script = "[fail(f'shop:place_{n}') for n in range(45)]; told()"

    run_python("-c", FAIL + script, home=tmp_path, **operator(sink))

    assert len(sink.received) == 20
    assert len(read_outboxes(tmp_path)[1]) == 45


def test_nothing_is_told_that_could_not_be_committed(tmp_path, sink):
    (tmp_path / "outbox").write_text("in the way")
    (tmp_path / "state").write_text("in the way, too")

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **operator(sink))

    assert sink.received == []


def test_claims_are_private_and_hold_no_address(tmp_path, sink):
    given = operator(sink) | {"ANCHOR_ALERT_URL": f"{sink.url}/T0SECRETPATH"}

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **given)

    files = list((tmp_path / "alerts").iterdir())
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert not any(b"T0SECRETPATH" in path.read_bytes() for path in files)


def test_link_in_place_of_the_claims_is_not_followed(tmp_path, sink):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "alerts").symlink_to(elsewhere)

    run_python("-c", FAIL + "fail(); told()", home=tmp_path, **operator(sink))

    assert (list(elsewhere.iterdir()), sink.received) == ([], [])


GREENLETS = (
    """
from gevent import monkey
monkey.patch_all()
import gevent
"""
    + FAIL
    + """
gevent.joinall([gevent.spawn(fail) for _ in range(5)])
told()
"""
)


def test_process_of_greenlets_gevent_tells_too(tmp_path, sink):
    pytest.importorskip("gevent")

    run_python("-c", GREENLETS, home=tmp_path, **operator(sink))

    assert len(sink.received) == 1


def test_own_faults_reach_nobody_and_stop_after_ten(tmp_path, sink):
    script = """
from anchor_autopatch.host.alerting import first
from anchor_autopatch.host import patching
def broken(*_):
    raise ValueError("ours")
first.tell = broken
for n in range(30):
    fail(f"shop:{n}")
    told()
assert "alerting" in patching.off
"""
    run_python("-c", FAIL + script, home=tmp_path, **operator(sink))

    classes = [event.event_class for event in read_outboxes(tmp_path)[1]]
    assert (classes.count("app_error"), classes.count("internal")) == (30, 2)


@pytest.mark.parametrize("url", [None, "https://nowhere.invalid/", "http://127.0.0.1:1/"])
def test_own_sending_leaves_no_event(tmp_path, sink, url):
    sink.status = 500
    given = operator(sink) | ({"ANCHOR_ALERT_URL": url} if url else {})

    run_python(
        "-c",
        "import logging\n" + FAIL + "fail(); told()",
        home=tmp_path,
        ANCHOR_ERRORS="1",
        **given,
    )

    assert len(read_outboxes(tmp_path)[1]) == 1


def test_process_does_not_wait_at_its_end_for_a_sink_that_hangs(tmp_path, sink):
    sink.trickle_s = 0.05
    # The first to be registered is the last to run.
    begin = "import atexit\natexit.register(lambda: print(telling._teller.thread is not None))\n"
    # Claimed: all that the thread needs is imported, and what it does next is to wait for the sink.
    wait = (
        "import glob, os, time\nfail()\n"
        "while not glob.glob(os.environ['ANCHOR_HOME'] + '/alerts/*.json'):\n"
        "    time.sleep(0.001)\n"
    )

    done = run_python("-c", begin + FAIL + wait, home=tmp_path, **operator(sink))

    assert done.stdout == "True\n"
