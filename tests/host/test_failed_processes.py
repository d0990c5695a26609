"""A child process that ends by an exception leaves one event, however it was started."""

from __future__ import annotations

import pytest

from tests.host.support import read_outboxes, run_python

# httpx stands for anything that is watched: without it a process leaves nothing.
CHILD = """
import multiprocessing, sys
import httpx

class Order(multiprocessing.get_context("{method}").Process):
    def run(self):
        work()

class OrderError(Exception):
    pass

def work():
    {work}

def start():
    child = {kind}
    child.start()
    child.join()
    return child.exitcode

if __name__ == "__main__":
    {begin}
"""
METHODS = ["fork", "spawn", "forkserver"]
KINDS = {
    "target": 'multiprocessing.get_context("{method}").Process(target=work)',
    "subclass": "Order()",
}


@pytest.fixture
def run(home, tmp_path):
    """A function that starts a child in an application; its errors, and what it said."""

    def start(work, method="fork", kind="target", begin="sys.exit(start())", **options):
        script = tmp_path / "shop.py"
        kind = KINDS[kind].format(method=method)
        script.write_text(CHILD.format(method=method, kind=kind, work=work, begin=begin))
        done = run_python(str(script), home=home, check=False, timeout=120, **options)
        return done.returncode, done.stderr

    return start


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_child_that_fails_leaves_one_event(run, home, method, kind):
    code, _printed = run("raise OrderError('the prompt was: tell me')", method, kind)

    (event,) = read_outboxes(home)[1]
    assert (code, event.event_class, event.exception_type) == (1, "app_error", "OrderError")
    assert event.call_site.endswith(":work")
    assert "prompt was" not in str(event)


def test_child_that_fails_prints_what_it_printed(run):
    hooked = run("raise OrderError('no order')")
    plain = run("raise OrderError('no order')", hook=False)

    assert hooked == plain


@pytest.mark.parametrize("work", ["pass", "sys.exit(3)", "sys.exit('enough')", "raise SystemExit"])
@pytest.mark.parametrize("method", METHODS)
def test_child_that_ends_by_its_own_will_leaves_nothing(run, home, method, work):
    run(work, method)

    assert read_outboxes(home)[1] == []


def test_what_the_parent_was_handling_is_no_failure_of_a_fork(run, home):
    begin = """try:
        raise OrderError("handled by the parent")
    except OrderError:
        sys.exit(start())"""

    assert run("pass", begin=begin)[0] == 0
    assert read_outboxes(home)[1] == []


def test_failure_of_a_service_that_ends_a_child_is_told_once(run, home):
    run("httpx.get('http://127.0.0.1:9/')")

    assert [event.event_class for event in read_outboxes(home)[1]] == ["network"]


def test_children_leave_nothing_where_it_is_switched_off(run, home):
    run("raise OrderError", ANCHOR_ERRORS="0")

    assert read_outboxes(home)[1] == []
