"""RQ workers serve who enqueued the job, over a real Redis."""

from __future__ import annotations

import pytest

from tests.frameworks.serving import asked

SIMPLE = {
    "/ask/NAME": "rq_app.ask",
    "/callback/NAME": "rq_app.shout",
    "/after/NAME": "rq_app.ask",
    "/stubborn/NAME": "rq_app.stubborn",
}
FORK = {path: SIMPLE[path] for path in ("/ask/NAME", "/callback/NAME")}
WEB = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--threads", "4", "rq_app:web")


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
