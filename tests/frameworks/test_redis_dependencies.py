"""Redis: a server that is gone or cannot serve is told once, its answers to commands are not."""

from __future__ import annotations

import asyncio
import logging

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.frameworks.depending import closed_port
from tests.host.fixtures import one_event

__all__ = ["one_event"]

pytestmark = pytest.mark.usefixtures("home")

log = logging.getLogger("shop.cache")


def client(url, **options):
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 2), **options)


@pytest.fixture
def nowhere():
    return f"redis://:t0psecret@127.0.0.1:{closed_port()}"


def test_server_that_is_not_there_is_one_event_however_often_it_was_tried(nowhere, one_event):
    with pytest.raises(redis.ConnectionError):
        client(nowhere).get("order:4711")

    event = one_event()
    assert (event.event_class, event.dependency, event.code) == (
        "network",
        nowhere.rpartition("@")[2],
        "ECONNREFUSED",
    )
    assert not any(word in str(event) for word in ("4711", "t0psecret"))


def test_pipeline_is_one_event(nowhere, one_event):
    with pytest.raises(redis.ConnectionError), client(nowhere).pipeline() as pipeline:
        pipeline.set("a", 1).get("a").execute()

    assert one_event().sdk == "redis"


def test_subscription_is_one_event(nowhere, one_event):
    with pytest.raises(redis.ConnectionError):
        client(nowhere).pubsub().subscribe("orders")

    assert one_event().sdk == "redis"


def test_asynchronous_client_is_watched_too(nowhere, one_event):
    async def ask():
        async with redis.asyncio.Redis.from_url(nowhere) as cache:
            await cache.get("order:4711")

    with pytest.raises(redis.ConnectionError):
        asyncio.run(ask())

    assert one_event().dependency == nowhere.rpartition("@")[2]


def test_logged_failure_is_one_event(nowhere, one_event):
    try:
        client(nowhere).get("x")
    except redis.ConnectionError:
        log.exception("no cache")

    assert one_event().event_class == "network"


def test_connection_that_is_made_anew_is_no_failure(redis_url, events):
    cache = client(redis_url)
    cache.ping()
    other = client(redis_url)
    other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    assert cache.set("x", 1)
    assert events() == []


def test_silent_server_is_a_timeout(redis_url, one_event):
    cache = redis.Redis.from_url(redis_url, socket_timeout=0.1, retry=Retry(NoBackoff(), 0))
    client(redis_url).execute_command("CLIENT", "PAUSE", "60000", "ALL")

    with pytest.raises(redis.TimeoutError):
        cache.set("x", 1)

    assert one_event().event_class == "timeout"


def test_server_that_is_full_is_a_failure(redis_url, one_event):
    cache = client(redis_url)
    cache.config_set("maxmemory", "1")

    with pytest.raises(redis.ResponseError):
        cache.set("x", 1)

    assert (one_event().event_class, one_event().code) == ("dependency_error", "OOM")


def test_password_that_is_missing_is_told_as_that(redis_url, one_event):
    client(redis_url).config_set("requirepass", "t0psecret")

    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(redis_url).get("x")

    assert one_event().event_class == "auth"


def lock_twice(cache):
    cache.lock("one", timeout=60).acquire()
    with pytest.raises(redis.exceptions.LockError), cache.lock("one", blocking_timeout=0.01):
        pass


def wrong_type(cache):
    cache.set("text", "x")
    with pytest.raises(redis.ResponseError):
        cache.lpush("text", 1)


def unknown_script(cache):
    with pytest.raises(redis.exceptions.NoScriptError):
        cache.evalsha("0" * 40, 0)


def changed_under_watch(cache):
    with cache.pipeline() as pipeline:
        pipeline.watch("x")
        cache.set("x", 1)
        pipeline.multi()
        pipeline.set("x", 2)
        with pytest.raises(redis.WatchError):
            pipeline.execute()


def empty_queue(cache):
    assert cache.blpop("queue", timeout=0.1) is None


@pytest.mark.parametrize(
    "use", [lock_twice, wrong_type, unknown_script, changed_under_watch, empty_queue]
)
def test_answers_to_a_command_are_no_failure(redis_url, events, use):
    use(client(redis_url))

    assert events() == []
