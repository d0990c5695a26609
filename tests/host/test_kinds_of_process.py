"""Each way to start a process or an interpreter is captured, or off for a reason that is said."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.host.support import environment, read_file, read_outboxes, run_python

pytestmark = pytest.mark.slow
RECORD = (
    "import os, sys, signal, threading\n"
    "from anchor_autopatch import record\n"
    "def call(count=1):\n"
    "    for _ in range(count):\n"
    "        record({'usage': {'prompt_tokens': 3}}, provider='openai')\n"
)
IN_SUBINTERPRETER = """
try:
    import _interpreters as interpreters
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string
run(interpreters.create(), '''{code}''')
"""
WHY_OFF = (
    "import sys\n"
    "from anchor_autopatch.host import startup\n"
    'sys.stdout.write(f"{startup._installed} {startup.off_reason()}")\n'
)


def in_subinterpreter(home, code):
    return run_python("-c", IN_SUBINTERPRETER.format(code=code), home=home)


def test_subinterpreter_is_off_and_says_why(home):
    assert in_subinterpreter(home, WHY_OFF).stdout == "False this is a subinterpreter"


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12),
    reason="importing hashlib in a subinterpreter of Python 3.12 ends the process, without us too",
)
def test_call_in_a_subinterpreter_leaves_no_file(home):
    code = "from anchor_autopatch import flush, record\n" + (
        'record({"usage": {"prompt_tokens": 3}}, provider="openai")\nprint(flush())\n'
    )

    done = in_subinterpreter(home, code)

    assert (done.stdout, done.stderr) == ("0\n", "")
    assert not (home / "outbox").exists()


def test_main_interpreter_beside_a_subinterpreter_is_on(home):
    code = RECORD + IN_SUBINTERPRETER.format(code="pass") + "\ncall(5)\n"

    run_python("-c", code, home=home)

    assert len(read_outboxes(home)[0]) == 5


@pytest.mark.parametrize(
    "forks",
    [pytest.param(50), pytest.param(1_000, marks=pytest.mark.chaos)],
)
def test_each_fork_under_writing_threads_records(home, forks):
    code = f"""{RECORD}
from anchor_autopatch.host.storage import outbox_file
stop = threading.Event()
def write():
    while not stop.is_set():
        call()
# Files are made and closed all the time, beside the forks.
outbox_file.SEAL_BYTES = 1
threads = [threading.Thread(target=write) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range({forks}):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        call()
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        stop.set()
        sys.exit("a child died or hung")
    # A server forks now and then; forking without a pause lets no file be finished.
    call(20)
stop.set()
for thread in threads:
    thread.join()
"""
    run_python("-W", "ignore", "-c", code, home=home, timeout=600, ANCHOR_OUTBOX_MB="100000")

    counts = [len(read_file(path)[0]) for path in home.glob("outbox/*.db")]
    assert counts.count(1) >= forks
    assert len(counts) > forks + 2


PRELOADED = f"""{RECORD}
call(2)
def application(environ, start_response):
    call()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def test_gunicorn_with_preload_records_in_each_worker(home, tmp_path):
    pytest.importorskip("gunicorn")
    (tmp_path / "preloaded.py").write_text(PRELOADED)
    address = tmp_path / "address"
    with address.open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind",
             "127.0.0.1:0", "--no-control-socket", "preloaded:application"],
            cwd=tmp_path, env=environment(home, path=[tmp_path]), stderr=log,
        )  # fmt: skip
    try:
        url = _address(address, server)
        workers = {_get(url) for _ in range(40)}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)

    counts = sorted(len(read_file(path)[0]) for path in home.glob("outbox/*.db"))
    assert len(counts) == len(workers) + 1
    assert sum(counts) == 42


def _get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def _address(log, server):
    """Where gunicorn listens, as soon as it says so."""
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        _, found, rest = log.read_text().partition("Listening at: ")
        if found and " " in rest:
            return rest.split(" ")[0]
        time.sleep(0.05)
    pytest.fail(f"gunicorn does not listen: {log.read_text()}")


GEVENT = """
import gevent, gevent.monkey
{before}
from anchor_autopatch import record
{after}
from anchor_autopatch.host.storage import outbox
from anchor_autopatch.host.storage import outbox_file
outbox_file.SEAL_BYTES = 1
import gevent.threadpool, threading
def call(count):
    for _ in range(count):
        record({{"usage": {{"prompt_tokens": 3}}}}, provider="openai")
        gevent.sleep(0)
threads = [threading.Thread(target=call, args=(50,)) for _ in range(4)]
for thread in threads: thread.start()
greenlets = [gevent.spawn(call, 50) for _ in range(4)]
pool = gevent.threadpool.ThreadPool(2)
tasks = [pool.spawn(call, 50) for _ in range(4)]
gevent.joinall([*greenlets, *tasks])
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_greenlets_and_threads_of_gevent_record_all(home, when):
    pytest.importorskip("gevent")
    patch = dict.fromkeys(("before", "after"), "") | {when: "gevent.monkey.patch_all()"}

    run_python("-W", "ignore", "-c", GEVENT.format(**patch), home=home)

    assert len(read_outboxes(home)[0]) == 600


def test_clock_that_jumps_loses_and_doubles_nothing(home):
    code = f"""{RECORD}
import time
from anchor_autopatch.host import ids
now = time.time_ns
for jump in (0, 3600, -7200, 365 * 86400, 0):
    ids.time_ns = time.time_ns = lambda: now() + jump * 10**9
    call(20)
"""
    run_python("-c", code, home=home)

    receipts = read_outboxes(home)[0]
    assert len({receipt.receipt_id for receipt in receipts}) == len(receipts) == 100
    assert all(0 <= receipt.duration_us < 60_000_000 for receipt in receipts)
