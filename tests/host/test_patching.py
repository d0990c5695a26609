"""What another library has wrapped before us is called as it would be without us."""

from __future__ import annotations

import asyncio
import inspect
from functools import wraps

import pytest
import wrapt

from anchor_autopatch.host import patching


class Client:
    """A class of an SDK."""

    def send(self, request, *, times=1):
        return self, request * times

    async def send_later(self, request, *, times=1):
        return self, request * times


def passing_on(original):
    """A wrapper of ours that does nothing."""

    @wraps(original)
    def ours(self, *args, **kwargs):
        return original(self, *args, **kwargs)

    return ours


@pytest.fixture
def seen():
    """Client with both methods wrapped as ddtrace and OpenTelemetry do it, then by us."""
    found = []

    def theirs(wrapped, instance, args, kwargs):
        found.append((instance, args, kwargs))
        return wrapped(*args, **kwargs)

    kept = dict(vars(Client))
    for name in ("send", "send_later"):
        setattr(Client, name, wrapt.FunctionWrapper(kept[name], theirs))
        patching.replace(Client, name, passing_on)
    yield found
    patching._undo_down_to(len(patching._undo) - 2)
    for name in ("send", "send_later"):
        setattr(Client, name, kept[name])


def test_wrapper_below_gets_its_instance_and_arguments(seen):
    client = Client()

    assert client.send("a", times=2) == (client, "aa")
    assert seen == [(client, ("a",), {"times": 2})]


def test_asynchronous_wrapper_below_gets_its_instance(seen):
    client = Client()

    assert asyncio.run(client.send_later("a")) == (client, "a")
    assert seen == [(client, ("a",), {})]


def test_class_shows_a_function_with_the_sdks_signature(seen):
    assert inspect.isfunction(vars(Client)["send"])
    assert list(inspect.signature(Client.send).parameters) == ["self", "request", "times"]


def test_undoing_gives_back_what_the_other_has_put_there(seen):
    patching._undo_down_to(len(patching._undo) - 2)
    found = type(vars(Client)["send"])
    for name in ("send", "send_later"):
        patching.replace(Client, name, passing_on)

    assert found is wrapt.FunctionWrapper
