"""The simulator as a process: how it starts, tells where it is, and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from examples.provider_sim import Simulator, running
from examples.provider_sim.client import CHECKOUT, SimulatorError, start, stop
from examples.provider_sim.failures import Failure
from tests.simulator.wire import CHAT, post, saying


def test_one_line_of_urls_then_nothing():
    process = start(sys.executable, ["--openai-port", "0", "--like", "xai=0"])
    try:
        urls = json.loads(process.stdout.readline())
        post(urls["xai"], CHAT, saying("hi"))
    finally:
        process.terminate()
        rest = process.communicate(timeout=60)

    assert set(urls) == {"openai", "xai"}
    assert rest == ("", "")


def test_extra_port_is_invoiced_by_its_provider():
    with running(arguments=["--port", "0", "--like", "xai=0"]) as simulator:
        post(simulator.xai, CHAT, saying("hi"))

        assert simulator.ledger()[0]["provider"] == "xai"
        assert f"{simulator.xai.removeprefix('http://')}=xai" in simulator.provider_hosts


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_at_once_even_amid_a_stall(number):
    process = start()
    urls = json.loads(process.stdout.readline())
    body = json.dumps(saying("[[sim fail=timeout]]")).encode()
    caller = subprocess.Popen(
        [sys.executable, "-c", _CALLER, urls["all"] + CHAT], stdin=subprocess.PIPE
    )
    caller.stdin.write(body)
    caller.stdin.close()
    simulator = Simulator(urls)
    while not simulator.requests():
        time.sleep(0.01)

    started = time.monotonic()
    process.send_signal(number)
    code = process.wait(timeout=60)
    caller.wait(timeout=60)
    stop(process)

    assert code == 0
    assert time.monotonic() - started < Failure("timeout").seconds / 2


_CALLER = """
import sys, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], sys.stdin.buffer.read()).read()
except OSError:
    pass
"""

_PARENT = """
import sys
from examples.provider_sim.client import start
process = start()
print(process.pid, process.stdout.readline(), flush=True)
sys.stdin.read()
"""


def test_it_goes_when_its_parent_is_killed():
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(parent.stdout.readline().split()[0])

    parent.kill()
    parent.communicate()

    assert _gone(child)


def _gone(pid: int) -> bool:
    for _ in range(1_200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if _zombie(pid):
            return True
        time.sleep(0.05)
    return False


def _zombie(pid: int) -> bool:
    """Say whether the process has ended and only waits to be collected (by whoever adopted it)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        return stat.rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def test_start_that_fails_tells_why():
    wrong = running(arguments=["--no"])

    with pytest.raises(SimulatorError, match=r"(?s)did not start.*usage"), wrong:
        pass


def test_taken_port_is_named_in_one_line():
    with running() as simulator:
        port = simulator.all.rpartition(":")[2]
        second = running(arguments=["--port", port])

        with (
            pytest.raises(SimulatorError, match=rf"No port to listen at: 127.0.0.1:{port}"),
            second,
        ):
            pass


def test_hook_of_the_caller_does_not_reach_the_simulator(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('must not be imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with running() as simulator:
        assert simulator.ledger() == []
