"""Work in other threads and processes: for who handed it over, and for nobody else."""

from __future__ import annotations

import asyncio
import concurrent.futures.process
import concurrent.futures.thread
import contextvars
import multiprocessing
import multiprocessing.pool
import pickle
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from anchor_autopatch import attribute, current
from anchor_autopatch.host import patching
from anchor_autopatch.host.request_context import Request, current_request
from anchor_autopatch.host.targets import EXECUTORS, FRAMEWORKS
from tests.host.support import run_python

pytestmark = pytest.mark.usefixtures("home", "_patched")

theirs: contextvars.ContextVar[str | None] = contextvars.ContextVar("theirs", default=None)


@pytest.fixture(scope="module")
def _patched():
    """What the finder does; undone unless the hook is on in this session anyway."""
    before = len(patching._undo)
    for target in (*EXECUTORS, *FRAMEWORKS):
        if target.name.startswith("executors/"):
            patching.apply(target)
            assert patching.states[target.name].patched
    yield
    patching._undo_down_to(before)


def team():
    return current().team


def in_a_thread(function, thread_class=threading.Thread):
    """What the function returns when a thread runs it that is started here."""
    found = []
    thread = thread_class(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


class TestThreads:
    def test_thread_works_for_its_starter(self):
        with attribute(team="search"), Request() as request:
            found = in_a_thread(lambda: (team(), current_request()))

        assert found == ("search", request)

    def test_thread_of_a_thread(self):
        with attribute(team="search"):
            assert in_a_thread(lambda: in_a_thread(team)) == "search"

    def test_unbound_thread_has_nobody(self):
        assert in_a_thread(team) is None

    def test_applications_own_context_stays_behind(self):
        token = theirs.set("theirs")
        with attribute(team="search"):
            assert in_a_thread(theirs.get) is None
        theirs.reset(token)

    def test_starter_and_not_maker_is_asked(self):
        found = []
        with attribute(team="maker"):
            thread = threading.Thread(target=lambda: found.append(team()))
        with attribute(team="starter"):
            thread.start()
        thread.join()

        assert found == ["starter"]

    def test_timer_works_for_its_starter(self):
        found, done = [], threading.Event()
        with attribute(team="search"):
            timer = threading.Timer(0, lambda: (found.append(team()), done.set()))
            timer.start()
        done.wait(60)

        assert found == ["search"]

    def test_overridden_run_works_for_its_starter(self):
        class Worker(threading.Thread):
            def run(self):
                self.found = team(), "run" in vars(self)

        with attribute(team="search"):
            worker = Worker()
            worker.start()
            worker.join()

        assert worker.found == ("search", False)

    def test_run_of_the_instance_is_kept(self):
        found = []
        thread = threading.Thread()
        thread.run = own = lambda: found.append(team())

        with attribute(team="search"):
            thread.start()
            thread.join()

        assert (found, thread.run) == (["search"], own)

    def test_second_start_fails_as_ever_and_leaves_nothing(self):
        thread = threading.Thread(target=team)
        with attribute(team="search"):
            thread.start()
            thread.join()
            with pytest.raises(RuntimeError, match="once"):
                thread.start()

        assert "run" not in vars(thread)

    def test_thread_with_a_context_of_its_own(self):
        class Isolated(threading.Thread):
            """Python 3.14's Thread(context=...): only `run` is called in it."""

            def _bootstrap_inner(self):
                self.run, run = lambda: contextvars.Context().run(run), self.run
                super()._bootstrap_inner()

        with attribute(team="search"):
            assert in_a_thread(team, Isolated) == "search"


class TestThreadPools:
    def test_each_submission_works_for_its_submitter(self):
        together = threading.Barrier(4, timeout=60)

        def work():
            together.wait()
            return team()

        with ThreadPoolExecutor(4) as pool:
            futures = []
            for name in "abcd":
                with attribute(team=name):
                    futures.append(pool.submit(work))
            found = [future.result() for future in futures]

        assert found == list("abcd")

    def test_map_works_for_its_caller(self):
        with ThreadPoolExecutor(2) as pool, attribute(team="search"):
            assert list(pool.map(lambda _: team(), range(4))) == ["search"] * 4

    def test_worker_started_in_a_request_serves_others_too(self):
        with ThreadPoolExecutor(1) as pool:
            with attribute(team="first"):
                first = pool.submit(team).result()
            second = pool.submit(team).result()

        assert (first, second) == ("first", None)

    def test_worker_that_inherits_its_starters_context_serves_others_too(self, monkeypatch):
        class Inheriting(threading.Thread):
            """Python 3.14 with thread_inherit_context."""

            def start(self):
                self.run, run = lambda: context.run(run), self.run
                context = contextvars.copy_context()
                super().start()

        monkeypatch.setattr(concurrent.futures.thread.threading, "Thread", Inheriting)
        with ThreadPoolExecutor(1) as pool:
            with attribute(team="first"):
                pool.submit(team).result()

            assert pool.submit(team).result() is None

    def test_first_calls_of_a_request_that_come_at_once_have_one_id(self):
        together = threading.Barrier(8, timeout=60)

        def request_id(_):
            together.wait()
            return current().request_id

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(8) as pool:
            for _ in range(30):
                with Request(header=lambda _: None):
                    ids = set(pool.map(request_id, range(8)))
                assert len(ids) == 1
        sys.setswitchinterval(interval)

    def test_submitters_context_is_untouched(self):
        with ThreadPoolExecutor(1) as pool, attribute(team="search"):
            pool.submit(team).result()

            assert team() == "search"

    def test_arguments_result_and_exception_pass(self):
        def work(*args, **kwargs):
            if not args:
                raise KeyError("theirs")
            return args, kwargs

        with ThreadPoolExecutor(1) as pool, attribute(team="search"):
            assert pool.submit(work, 1, fn=2).result() == ((1,), {"fn": 2})
            with pytest.raises(KeyError, match="theirs"):
                pool.submit(work).result()

    def test_pool_that_is_shut_down_refuses_as_ever(self):
        pool = ThreadPoolExecutor(1)
        pool.shutdown()

        with attribute(team="search"), pytest.raises(RuntimeError, match="shutdown"):
            pool.submit(team)

    def test_submit_looks_as_it_did(self):
        assert ThreadPoolExecutor.submit.__qualname__ == "ThreadPoolExecutor.submit"
        assert pickle.loads(pickle.dumps(ThreadPoolExecutor.submit)) is ThreadPoolExecutor.submit


TAKING = {
    "apply": lambda pool: pool.apply(team),
    "apply_async": lambda pool: pool.apply_async(team).get(),
    "map": lambda pool: pool.map(lambda _: team(), [1])[0],
    "starmap": lambda pool: pool.starmap(lambda _: team(), [[1]])[0],
    "map_async": lambda pool: pool.map_async(lambda _: team(), [1]).get()[0],
    "imap": lambda pool: next(pool.imap(lambda _: team(), [1])),
    "imap_unordered": lambda pool: next(pool.imap_unordered(lambda _: team(), [1])),
}


class TestMultiprocessingPools:
    @pytest.mark.parametrize("way", TAKING)
    def test_thread_pool_works_for_who_hands_it_work(self, way):
        with attribute(team="starter"):
            pool = multiprocessing.pool.ThreadPool(1)
        with pool:
            with attribute(team="search"):
                found = TAKING[way](pool)

            assert (found, TAKING[way](pool)) == ("search", None)

    def test_threads_of_one_map_are_kept_apart(self):
        def work(name):
            with attribute(feature=name):
                return team(), current().feature

        with multiprocessing.pool.ThreadPool(4) as pool, attribute(team="search"):
            found = pool.map(work, list("abcdefgh"), chunksize=1)

        assert found == [("search", name) for name in "abcdefgh"]

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_forked_worker_is_nobodys(self):
        with attribute(team="starter"), multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply(team) is None


class TestLoops:
    def test_run_in_executor_works_for_its_caller(self):
        async def one(name):
            with attribute(team=name):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(None, team), await asyncio.to_thread(team)

        async def main():
            return await asyncio.gather(*(one(name) for name in "abc"))

        assert asyncio.run(main()) == [(name, name) for name in "abc"]

    def test_task_outlives_the_block_that_started_it(self):
        async def later(go):
            await go.wait()
            return team()

        async def main():
            go = asyncio.Event()
            with attribute(team="search"):
                task = asyncio.create_task(later(go))
            go.set()
            return await task, team()

        assert asyncio.run(main()) == ("search", None)


SUBMITS = """
import concurrent.futures, multiprocessing, sys
from anchor_autopatch import attribute, current
from anchor_autopatch.host.request_context import Request

def team():
    return current().team, current().feature

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        with attribute(team="first"):
            first = pool.submit(team)
        second = pool.submit(team)
        with Request(route="/shop"), attribute(team="third"):
            third = next(pool.map(len, [[1]])), pool.submit(team)
        print(first.result(), second.result(), third[0], third[1].result())
"""


class TestProcessPools:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    @pytest.mark.slow
    def test_each_submission_works_for_its_submitter(self, home, method):
        script = home / "submits.py"
        script.write_text(SUBMITS)

        done = run_python(str(script), method, home=home)

        expected = "('first', None) (None, None) 1 ('third', '/shop')\n"
        assert (done.stdout, done.stderr) == (expected, "")

    def test_function_is_pickled_as_it_was_submitted(self):
        item = concurrent.futures.process._CallItem(1, team, (), {})
        with attribute(team="search"):
            from anchor_autopatch.host import executors

            sent = executors._Sent(team, {"team": "search"})
            carried = concurrent.futures.process._CallItem(1, sent, (), {})

        assert (carried.fn, vars(carried).keys() - vars(item).keys()) == (
            team,
            {"_anchor_carried"},
        )

    def test_unpicklable_function_fails_as_ever(self):
        with ProcessPoolExecutor(1) as pool, attribute(team="search"):
            future = pool.submit(lambda: 1)

            with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
                future.result()
