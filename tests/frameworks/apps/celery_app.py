"""Celery tasks: plain, tried again, behind another one; and the view that sends each of them."""

from __future__ import annotations

import os
import threading

from calling import call
from celery import Celery, chain
from flask import Flask

app = Celery("shop", broker=os.environ["REDIS"])
app.conf.update(
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task
def ask(name):
    call(name)


@app.task(bind=True)
def stubborn(self, name):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    call(name)


@app.task
def nothing():
    pass


# Now, and not by the first of several threads that ask for a task at once: Celery's own race.
app.finalize()
web = Flask(__name__)


@web.get("/ask/<name>")
def send(name):
    ask.delay(name)
    return "sent"


@web.get("/stubborn/<name>")
def send_stubborn(name):
    stubborn.apply_async(kwargs={"name": name}, headers={"theirs": "kept"})
    return "sent"


@web.get("/chain/<name>")
def send_chain(name):
    chain(nothing.si(), ask.si(name)).delay()
    return "sent"


@web.get("/thread/<name>")
def send_from_thread(name):
    thread = threading.Thread(target=app.send_task, args=("celery_app.ask", [name]))
    thread.start()
    thread.join()
    return "sent"


@web.get("/eager/<name>")
def run_here(name):
    ask.apply([name])
    return "done"
