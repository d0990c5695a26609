"""Celery workers serve who sent the task, over a real Redis.

Not over kombu's broker on disk: a worker may read a message there before it is written.
"""

from __future__ import annotations

import pytest

from tests.frameworks.serving import asked, sources

ROUTES = {
    "/ask/NAME": "celery_app.ask",
    "/stubborn/NAME": "celery_app.stubborn",
    "/chain/NAME": "celery_app.ask",
    "/thread/NAME": "celery_app.ask",
    "/eager/NAME": "celery_app.ask",
}
WEB = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--threads", "4", "celery_app:web")
WORKER = ("-m", "celery", "-A", "celery_app", "worker", "--without-gossip", "--without-mingle")


@pytest.mark.parametrize(
    ("pool", "count"),
    [
        pytest.param(("-c", "2"), 500, id="prefork"),
        pytest.param(("-P", "threads", "-c", "4"), 500, id="threads", marks=pytest.mark.slow),
        pytest.param(("-P", "gevent", "-c", "4"), 500, id="gevent", marks=pytest.mark.slow),
    ],
)
def test_worker_serves_who_sent_the_task(site, redis_url, pool, count):
    requests = asked(ROUTES, count)
    site.start(*WORKER, *pool, REDIS=redis_url, ANCHOR_SERVICE="worker", ANCHOR_REGION="here")
    port = site.serve(*WEB, REDIS=redis_url)

    site.ask_all(port, requests)

    site.judge(requests)
    assert {receipt.region for receipt in site.receipts()} == {"here", None}


def test_task_that_nobody_asked_for_is_known_by_its_name(site, redis_url):
    site.start(*WORKER, "-c", "1", REDIS=redis_url)
    site.start("-c", "import celery_app; celery_app.ask.delay('u1')", REDIS=redis_url)

    site.noted(1)
    (receipt,) = site.receipts()

    assert (receipt.feature, sources(receipt)["feature"]) == ("celery_app.ask", "task")
    assert sources(receipt)["request_id"] == "request"


IN_MEMORY = """
from celery import Celery
from celery.contrib.testing.worker import start_worker
from anchor_autopatch import attribute, current

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.worker_hijack_root_logger = False

@app.task
def who():
    return current().team, current().feature

with start_worker(app, perform_ping_check=False, pool="threads", concurrency=2):
    sent = []
    for name in "abc":
        with attribute(team=name):
            sent.append(who.delay())
    sent.append(who.delay())
    print([result.get(timeout=60) for result in sent])
"""


def test_worker_in_a_thread_of_the_sender(site, tmp_path):
    script = tmp_path / "shop.py"
    script.write_text(IN_MEMORY)

    found = site.run(script)

    assert found == str([[name, "shop.who"] for name in "abc"] + [[None, "shop.who"]]) + "\n"
