"""Celery workers serve who sent the task, over a broker on disk."""

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


@pytest.fixture
def broker(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    return str(folder)


@pytest.mark.parametrize(
    ("pool", "count"),
    [(("-c", "2"), 500), (("-P", "threads", "-c", "4"), 100), (("-P", "gevent", "-c", "4"), 100)],
    ids=["prefork", "threads", "gevent"],
)
def test_worker_serves_who_sent_the_task(site, broker, pool, count):
    requests = asked(ROUTES, count)
    site.start(*WORKER, *pool, BROKER=broker, ANCHOR_SERVICE="worker", ANCHOR_REGION="here")
    port = site.serve(*WEB, BROKER=broker)

    site.ask_all(port, requests)

    site.judge(requests)
    assert {receipt.region for receipt in site.receipts()} == {"here", None}


def test_task_that_nobody_asked_for_is_known_by_its_name(site, broker):
    site.start(*WORKER, "-c", "1", BROKER=broker)
    site.start("-c", "import celery_app; celery_app.ask.delay('u1')", BROKER=broker)

    site.noted(1)
    (receipt,) = site.receipts()

    assert (receipt.feature, sources(receipt)["feature"]) == ("celery_app.ask", "task")
    assert sources(receipt)["request_id"] == "request"
