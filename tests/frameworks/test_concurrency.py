"""Greenlets, anyio and trio work for who started them, and for nobody else."""

from __future__ import annotations

import contextvars
import threading
from functools import partial

import anyio
import anyio.from_thread
import anyio.to_thread
import gevent
import gevent.pool
import gevent.threadpool
import pytest

from anchor_autopatch import attribute, current

pytestmark = pytest.mark.usefixtures("home")

theirs: contextvars.ContextVar[str | None] = contextvars.ContextVar("theirs", default=None)


def team(_item=None):
    return current().team


def raw_greenlet(function):
    found = []
    gevent.spawn_raw(lambda: found.append(function()))
    gevent.sleep(0.001)
    return found[0]


GREENLETS = {
    "spawn": lambda: gevent.spawn(team).get(),
    "spawn_later": lambda: gevent.spawn_later(0.001, team).get(),
    "spawn_raw": lambda: raw_greenlet(team),
    "greenlet of a greenlet": lambda: gevent.spawn(lambda: gevent.spawn(team).get()).get(),
    "Group.spawn": lambda: gevent.pool.Group().spawn(team).get(),
    "Pool.spawn": lambda: gevent.pool.Pool(1).spawn(team).get(),
    "Pool.map": lambda: gevent.pool.Pool(1).map(team, [1])[0],
    "Pool.imap": lambda: next(gevent.pool.Pool(1).imap(team, [1])),
    "Pool.imap_unordered": lambda: next(gevent.pool.Pool(1).imap_unordered(team, [1])),
    "Pool.map_async": lambda: gevent.pool.Pool(1).map_async(team, [1]).get()[0],
    "ThreadPool.map": lambda: gevent.threadpool.ThreadPool(1).map(team, [1])[0],
    "Pool.apply_async": lambda: gevent.pool.Pool(1).apply_async(team).get(),
    "thread pool": lambda: gevent.get_hub().threadpool.spawn(team).get(),
    "executor": lambda: gevent.threadpool.ThreadPoolExecutor(1).submit(team).result(),
}


class TestGreenlets:
    @pytest.mark.parametrize("way", GREENLETS)
    def test_greenlet_works_for_who_spawned_it(self, way):
        with attribute(team="search"):
            assert GREENLETS[way]() == "search"

        assert GREENLETS[way]() is None

    def test_interleaved_greenlets_are_kept_apart(self):
        def work(name):
            with attribute(team=name):
                gevent.sleep(0)
                inner = gevent.spawn(team)
                gevent.sleep(0.001)
                return team(), inner.get()

        names = [str(number) for number in range(50)]

        assert gevent.pool.Pool(10).map(work, names) == [(name, name) for name in names]

    def test_applications_own_context_stays_behind(self):
        token = theirs.set("theirs")
        with attribute(team="search"):
            found = gevent.spawn(theirs.get).get()
        theirs.reset(token)

        assert found is None

    def test_context_that_the_application_gave_is_kept(self):
        context = contextvars.copy_context()
        context.run(theirs.set, "theirs")
        greenlet = gevent.Greenlet(theirs.get)
        greenlet.gr_context = context

        with attribute(team="search"):
            gevent.pool.Group().start(greenlet)

        assert greenlet.get() == "theirs"

    def test_greenlet_that_runs_keeps_whom_it_works_for(self):
        with attribute(team="first"):
            running = gevent.spawn(lambda: (gevent.sleep(0.01), team())[1])
            gevent.sleep(0)
        with attribute(team="second"):
            gevent.pool.Group().add(running)

        assert running.get() == "first"


async def in_thread():
    with attribute(team="search"):
        return await anyio.to_thread.run_sync(team)


async def in_thread_and_back():
    with attribute(team="search"):
        return await anyio.to_thread.run_sync(anyio.from_thread.run_sync, team)


async def in_task_group():
    found = []

    async def work():
        await anyio.sleep(0)
        found.append(team())

    with attribute(team="search"):
        async with anyio.create_task_group() as group:
            group.start_soon(work)
    return found[0]


class TestAnyio:
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    @pytest.mark.parametrize("way", [in_thread, in_thread_and_back, in_task_group])
    def test_work_elsewhere_is_for_who_started_it(self, backend, way):
        async def main():
            return await way(), team(), await anyio.to_thread.run_sync(team)

        assert anyio.run(main, backend=backend) == ("search", None, None)

    def test_portal_runs_each_call_for_its_caller(self):
        with anyio.from_thread.start_blocking_portal() as portal:
            with attribute(team="search"):
                first = portal.call(partial(anyio.sleep, 0)), portal.call(team)
            second = portal.call(team)

        assert (first[1], second) == ("search", None)

    def test_portal_opened_in_a_request_is_nobodys(self):
        with attribute(team="first"), anyio.from_thread.start_blocking_portal() as portal:
            found = []
            thread = threading.Thread(target=lambda: found.append(portal.call(team)))
            with attribute(team="second"):
                thread.start()
            thread.join()

        assert found == ["second"]
