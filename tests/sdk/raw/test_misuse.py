"""What a library cannot send is its application's error; what we cannot read of it is ours."""

from __future__ import annotations

import types
from importlib import import_module
from importlib.util import find_spec

import pytest

from anchor_autopatch.host import patching
from anchor_autopatch.host.clients import raw

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


def client(library):
    if find_spec(library) is None:
        pytest.skip(f"{library} is not in this SDK world")
    module = import_module(library)
    return module.Session() if library == "requests" else module.Client()


@pytest.mark.parametrize("library", ["httpx", "httpx2", "requests"])
def test_sends_of_what_is_no_request_switch_nothing_off(library, simulator, home, one_receipt):
    with client(library) as http:
        for _ in range(patching.FAULT_LIMIT):
            with pytest.raises((AttributeError, TypeError, ValueError)):
                http.send(None)

        http.post(f"{simulator.openai}/v1/chat/completions", json=BODY)

    assert one_receipt().sdk == library


def unreadable(name, original):
    """A client of ours that can read no request, around what sends them."""

    def netloc(*_):
        raise KeyError("request")

    client = types.SimpleNamespace(name=name, netloc=netloc, status="status")
    return raw.wrap(client)(original)


def test_request_that_the_library_sends_is_to_be_read_by_us(home, one_event):
    send = unreadable("sent", lambda _self: "answer")

    assert send(None) == "answer"
    assert (one_event().event_class, one_event().dependency) == ("internal", "sent")


def test_request_that_the_library_refuses_needs_no_reading(home, events):
    send = unreadable("refused", lambda self: self.nothing)

    with pytest.raises(AttributeError):
        send(None)
    assert events() == []
