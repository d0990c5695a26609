"""What an application fails at, in every place where nobody catches it, is one event each."""

from __future__ import annotations

import time

import pytest

from tests.frameworks.depending import closed_port, partner
from tests.host.support import run_python

FRAMEWORKS = {
    "flask": """
import flask

app = flask.Flask("shop")

@app.get("/")
def index():
    return work()

app.test_client().get("/")
""",
    "django": """
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
django.setup()
from django.test import Client
from django.urls import path

def index(request):
    return work()

urlpatterns = [path("", index)]
Client(raise_request_exception=False).get("/")
""",
    "starlette": """
import asyncio, threading, httpx, uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

async def index(request):
    return work()

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        # The answer is a failure of this very service, told already by what it logs.
        from urllib.request import urlopen
        def ask():
            try:
                urlopen(f"http://127.0.0.1:{port}/").close()
            except OSError:
                pass
            self.should_exit = True
        threading.Thread(target=ask).start()

Server(uvicorn.Config(Starlette(routes=[Route("/", index)]), port=0, log_level="error")).run()
""",
    "aiohttp": """
import asyncio
from aiohttp import web
from urllib.request import urlopen

async def index(request):
    return work()

def ask(port):
    try:
        urlopen(f"http://127.0.0.1:{port}/").close()
    except OSError:
        pass

async def main():
    app = web.Application()
    app.router.add_get("/", index)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    await asyncio.get_running_loop().run_in_executor(None, ask, port)
    await runner.cleanup()

asyncio.run(main())
""",
    "thread": """
import threading, httpx
thread = threading.Thread(target=work)
thread.start()
thread.join()
""",
    "finalizer": """
import httpx
class Thing:
    def __del__(self):
        work()
Thing()
""",
    "forgotten task": """
import asyncio, gc, httpx

async def main():
    async def later():
        work()
    asyncio.ensure_future(later())
    await asyncio.sleep(0.01)

asyncio.run(main())
gc.collect()
""",
    "forgotten task, own handler": """
import asyncio, gc, httpx

async def main():
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async def later():
        work()
    task = asyncio.ensure_future(later())
    await asyncio.sleep(0.01)
    del task
    gc.collect()

asyncio.run(main())
""",
    "callback of a loop": """
import asyncio, httpx

async def main():
    asyncio.get_running_loop().call_soon(work)
    await asyncio.sleep(0.01)

asyncio.run(main())
""",
    "end of the program": """
import httpx
work()
""",
}
OWN = """
class OrderError(Exception):
    pass

def work():
    raise OrderError("order 4711 cannot be kept")
"""
BUILT_IN = """
def work():
    raise ValueError("order 4711 cannot be kept")
"""
ABOVE_REDIS = """
import redis
from redis.retry import Retry
from redis.backoff import NoBackoff

def work():
    redis.Redis(host="127.0.0.1", port=PORT, retry=Retry(NoBackoff(), 0)).get("order:4711")
"""


def run(home, code):
    return run_python("-c", code, home=home, check=False)


# Python's own exceptions cannot be weakly referenced: they are the hard ones to know again.
@pytest.mark.parametrize(
    ("place", "work"),
    [*((place, BUILT_IN) for place in FRAMEWORKS), ("flask", OWN), ("thread", OWN)],
    ids=lambda part: part.strip().partition("\n")[0],
)
def test_failure_is_one_event_without_its_text(home, events, place, work):
    run(home, work + FRAMEWORKS[place])

    told = [(event.event_class, event.call_site) for event in events()]
    assert told == [("app_error", "__main__:work")]
    assert "4711" not in str(events())


@pytest.mark.parametrize("place", ["django", "aiohttp", "thread", "forgotten task"])
def test_failure_of_a_service_below_is_the_only_event(home, events, place):
    port = closed_port()

    run(home, ABOVE_REDIS.replace("PORT", str(port)) + FRAMEWORKS[place])

    told = [(event.event_class, event.dependency) for event in events()]
    assert told == [("network", f"127.0.0.1:{port}")]


@pytest.mark.parametrize("pool", [("-c", "1"), ("-P", "threads", "-c", "1")], ids=lambda p: p[0])
def test_failed_task_of_celery_is_one_event(site, redis_url, events, pool):
    send = "import failing_app; failing_app.stubborn.delay()"
    site.start("-m", "celery", "-A", "failing_app", "worker", *pool, REDIS=redis_url)
    site.run("-c", send, REDIS=redis_url)

    told = [event.exception_type for event in waited_for(events)]

    assert told == ["OrderError"]


@pytest.mark.parametrize("worker", ["fork", "simple"])
def test_failed_job_of_rq_is_one_event(site, redis_url, events, worker):
    site.start("-m", "failing_app", worker, REDIS=redis_url).wait(60)

    assert [event.exception_type for event in events()] == ["OrderError"]


def waited_for(events):
    deadline = time.monotonic() + 60
    while not events() and time.monotonic() < deadline:
        time.sleep(0.05)
    return events()


PROVIDER = """
import logging, httpx, openai
log = logging.getLogger("shop")

try:
    openai.OpenAI(base_url="URL/500", api_key="sk-test", max_retries=0).models.list()
except openai.OpenAIError:
    log.exception("no models")
try:
    httpx.post("URL/500/v1/chat/completions", json={"model": "gpt-4o"}).raise_for_status()
except httpx.HTTPStatusError:
    log.exception("no answer")
"""


def test_provider_call_that_fails_leaves_its_own_event_alone(home, events):
    with partner() as service:
        done = run_python(
            "-c",
            PROVIDER.replace("URL", service.url),
            home=home,
            ANCHOR_PROVIDER_HOSTS=f"{service.host}=openai",
        )

    assert done.returncode == 0
    assert [(e.event_class, e.provider) for e in events()] == [("provider_5xx", "openai")] * 2
