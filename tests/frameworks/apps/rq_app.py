"""RQ: the view that enqueues, and workers that fork for each job or do not."""

from __future__ import annotations

import os
import sys

from calling import call
from flask import Flask
from redis import Redis
from rq import Queue, Retry, SimpleWorker, Worker

queue = Queue(connection=Redis.from_url(os.environ["REDIS"]))
web = Flask(__name__)
tried = set()


def ask(name, **_options):
    call(name)


def stubborn(name):
    if name not in tried:
        tried.add(name)
        raise RuntimeError("not yet")
    call(name)


def nothing():
    pass


def shout(name):
    return name.upper()


def finished(job, connection, result, *_args, **_kwargs):
    call(job.args[0])


@web.get("/ask/<name>")
def send(name):
    queue.enqueue(ask, name, meta={"theirs": name})
    return "sent"


@web.get("/callback/<name>")
def send_with_callback(name):
    queue.enqueue(shout, name, on_success=finished)
    return "sent"


@web.get("/after/<name>")
def send_after_another(name):
    queue.enqueue(ask, name, depends_on=queue.enqueue(nothing))
    return "sent"


@web.get("/stubborn/<name>")
def send_stubborn(name):
    queue.enqueue(stubborn, name, retry=Retry(max=1))
    return "sent"


if __name__ == "__main__":
    sys.modules["rq_app"] = sys.modules["__main__"]
    worker_class = {"fork": Worker, "simple": SimpleWorker}[sys.argv[1]]
    worker_class([queue], connection=queue.connection).work(logging_level="WARNING")
