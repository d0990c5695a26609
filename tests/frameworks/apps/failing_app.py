"""Tasks that fail: for Celery's worker, or for RQ's (`python -m failing_app`)."""

from __future__ import annotations

import os
import sys

from celery import Celery
from redis import Redis
from rq import Queue, SimpleWorker, Worker

app = Celery("shop", broker=os.environ["REDIS"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


class OrderError(Exception):
    """An error of the application's own."""


@app.task
def fail():
    raise OrderError("order 4711 cannot be kept")


@app.task(bind=True)
def stubborn(self):
    if self.request.retries == 0:
        raise self.retry(exc=OrderError("not yet"), countdown=0)
    fail.delay()


def fail_in_rq():
    raise OrderError("order 4711 cannot be kept")


if __name__ == "__main__":
    queue = Queue(connection=Redis.from_url(os.environ["REDIS"]))
    queue.enqueue("failing_app.fail_in_rq")
    worker = {"fork": Worker, "simple": SimpleWorker}[sys.argv[1]]
    worker([queue], connection=queue.connection).work(burst=True, logging_level="WARNING")
