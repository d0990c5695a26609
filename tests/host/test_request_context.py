"""The open request: set for a block, put back after it, restored in another thread."""

from __future__ import annotations

import contextvars
import threading

from anchor_autopatch import attribute, current
from anchor_autopatch.host.request_context import Request, current_request, snapshot


def test_request_is_open_inside_only():
    request = Request(method="GET")

    with request:
        inside = current_request()

    assert (inside, current_request()) == (request, None)


def test_inner_request_gives_way_to_outer():
    outer, inner = Request(), Request("task")

    with outer:
        with inner:
            pass
        assert current_request() is outer


def test_request_is_entered_for_every_step_of_a_stream():
    request, seen = Request(), []

    for _ in range(2):
        with request:
            seen.append(current_request())
        seen.append(current_request())

    assert seen == [request, None, request, None]


def test_request_entered_twice_is_left_once():
    request = Request()

    with request, request:
        pass

    assert current_request() is None


def test_leaving_elsewhere_disturbs_nobody():
    outer, elsewhere = Request(), Request()
    contextvars.copy_context().run(elsewhere.enter)

    with outer:
        elsewhere.leave()

        assert current_request() is outer


def test_snapshot_restores_request_and_binding_in_a_thread():
    found = []

    def work(taken):
        with taken:
            found.append((current_request(), current().team))
        found.append((current_request(), current().team))

    request = Request()
    with request, attribute(team="search"):
        # In a context of its own: where the hook is on, a thread begins with its starter's.
        empty = contextvars.Context()
        thread = threading.Thread(target=empty.run, args=(work, snapshot()))
        thread.start()
        thread.join()

    assert found == [(request, "search"), (None, None)]


def test_nothing_bound_needs_no_snapshot():
    assert snapshot() is None
