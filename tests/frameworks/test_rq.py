"""RQ workers serve who enqueued the job, over a real Redis."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from tests.frameworks.serving import asked, free_port

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="needs a real Redis: apt-get install redis-server",
)
SIMPLE = {
    "/ask/NAME": "rq_app.ask",
    "/callback/NAME": "rq_app.shout",
    "/after/NAME": "rq_app.ask",
    "/stubborn/NAME": "rq_app.stubborn",
}
FORK = {path: SIMPLE[path] for path in ("/ask/NAME", "/callback/NAME")}
WEB = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--threads", "4", "rq_app:web")


@pytest.fixture
def redis_url():
    """A Redis of this test's own, in memory only."""
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize(
    ("worker", "routes", "count"), [("simple", SIMPLE, 500), ("fork", FORK, 40)]
)
def test_worker_serves_who_enqueued_the_job(site, redis_url, worker, routes, count):
    requests = asked(routes, count)
    site.start("-m", "rq_app", worker, REDIS=redis_url, ANCHOR_SERVICE="worker")
    port = site.serve(*WEB, REDIS=redis_url)

    site.ask_all(port, requests)

    site.judge(requests)


def test_meta_is_left_to_the_application(site, redis_url):
    code = """
import rq_app
from anchor_autopatch import attribute
with attribute(team="search"):
    rq_app.queue.enqueue(rq_app.nothing)
(job,) = rq_app.queue.jobs
print(job.meta, job.connection.hget(job.key, "anchor_attribution").decode())
"""

    assert site.run("-c", code, REDIS=redis_url) == ('{} {"team": "search", "service": "sample"}\n')
