"""Whatever ends a process, each written row is on disk, in a file of that process's own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from anchor_autopatch import record
from tests.host.support import environment, read_file, read_outboxes, run_python

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("home")]
RECORD = (
    "from anchor_autopatch import record\n"
    "import os, sys, signal\n"
    "def call(count):\n"
    "    for _ in range(count):\n"
    "        record({'usage': {'prompt_tokens': 3, 'completion_tokens': 4}}, provider='openai')\n"
)
ENDS = {
    "end of the script": "pass",
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "SIGINT": "os.kill(os.getpid(), signal.SIGINT)",
    "SIGSEGV": "os.kill(os.getpid(), signal.SIGSEGV)",
    "unhandled exception": "raise RuntimeError",
}


@pytest.mark.parametrize("end", ENDS)
def test_no_returned_call_is_lost(home, end):
    run_python("-c", f"{RECORD}call(500)\n{ENDS[end]}", home=home, check=False)

    receipts, events = read_outboxes(home)
    assert (len(receipts), events) == (500, [])


def test_killed_from_outside_in_the_middle(home):
    child = subprocess.Popen(
        [sys.executable, "-c", f"{RECORD}while True:\n    call(1)\n    os.write(1, b'.')"],
        env=environment(home),
        stdout=subprocess.PIPE,
    )
    child.stdout.read(300)
    child.send_signal(signal.SIGKILL)
    answered = 300 + len(child.communicate()[0])

    assert len(read_outboxes(home)[0]) - answered in (0, 1)


def files(home):
    return sorted(home.glob("outbox/*.db"))


def test_forked_workers_have_files_of_their_own(home):
    code = f"""{RECORD}
call(100)
for _ in range(4):
    if os.fork() == 0:
        call(100)
        os._exit(0)
for _ in range(4):
    os.wait()
call(100)
"""
    run_python("-c", code, home=home)

    assert sorted(len(read_file(path)[0]) for path in files(home)) == [100] * 4 + [200]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_pool(home, tmp_path, method):
    script = tmp_path / "pool.py"
    script.write_text(
        f"""{RECORD}
import multiprocessing
if __name__ == "__main__":
    call(1)
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        pool.map(call, [50] * 4)
        pool.close()
        pool.join()
    call(1)
"""
    )

    run_python(str(script), home=home)

    assert len(read_outboxes(home)[0]) == 202


def test_forks_under_writing_threads_do_not_hang(home):
    code = f"""{RECORD}
import threading
stop = threading.Event()
def write():
    while not stop.is_set():
        call(1)
threads = [threading.Thread(target=write) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(200):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        call(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
"""
    run_python("-c", code, home=home, timeout=600)

    counts = [len(read_file(path)[0]) for path in files(home)]
    # The parent may have written so much that it went on in further files.
    assert counts.count(1) == 200


def test_fork_in_a_signal_handler_does_not_hang(home):
    code = f"""{RECORD}
def handler(*_):
    if os.fork() == 0:
        call(1)
        os._exit(0)
    os.wait()
    fired.append(1)
    if len(fired) < 10:
        signal.setitimer(signal.ITIMER_REAL, 0.003)
fired = []
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.003)
while len(fired) < 10:
    call(1)
"""
    run_python("-c", code, home=home)

    assert sorted(len(read_file(path)[0]) for path in files(home))[:-1] == [1] * 10


def test_row_written_by_a_signal_handler_is_kept(home):
    code = f"""{RECORD}
fired = []
def handler(*_):
    fired.append(1)
    call(1)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
call(5000)
signal.setitimer(signal.ITIMER_REAL, 0)
call(1)
print(len(fired))
"""
    fired = int(run_python("-c", code, home=home).stdout)

    assert fired > 0
    assert len(read_outboxes(home)[0]) == 5001 + fired


def test_threads_share_one_gapless_file(home):
    code = f"""{RECORD}
import threading
threads = [threading.Thread(target=call, args=(300,)) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    run_python("-c", code, home=home)

    assert [len(read_file(path)[0]) for path in files(home)] == [2400]


def test_files_are_private(home):
    run_python("-c", f"os = __import__('os'); os.umask(0)\n{RECORD}call(1)", home=home)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (home / "outbox").iterdir()}
    assert set(modes.values()) == {0o600}
    assert (home / "outbox").stat().st_mode & 0o777 == 0o700


def test_memory_stays_bounded(home):
    code = f"""{RECORD}
import gc, tracemalloc
from anchor_autopatch.host.capture import identity
class Answer(dict):
    pass
def many(start, count):
    for i in range(start, start + count):
        usage = {{"prompt_tokens": 3}}
        record(Answer(id=f"r{{i}}", usage=usage), provider="openai")
many(0, 5_000)
gc.collect()
tracemalloc.start()
many(5_000, 10_000)
gc.collect()
print(len(identity._by_response_id), len(identity._receipts))
print(tracemalloc.get_traced_memory()[0])
"""
    tables, grown = run_python("-c", code, home=home, timeout=600).stdout.splitlines()

    by_id, by_identity = map(int, tables.split())
    assert (by_id <= 4096, by_identity <= 2048) == (True, True)
    assert int(grown) < 3_000_000


def test_receipt_takes_little_space_in_the_log(home):
    usage = {"prompt_tokens": 1234, "completion_tokens": 567, "details": {"cached_tokens": 89}}

    for number in range(60):
        record(
            {"id": f"chatcmpl-{number:024}", "model": "gpt-4o", "usage": usage}, provider="openai"
        )

    (log,) = (home / "outbox").glob("*.db-wal")
    assert log.stat().st_size / 60 < 4096
