"""A fault of ours, wherever it happens, changes nothing that the application sees."""

from __future__ import annotations

import contextvars
import functools
import itertools
import zlib

import pytest

from anchor_autopatch.host.capture import layers, streams
from tests.sdk.transparency import casting, faults, hooks, performing
from tests.sdk.transparency.casting import every_play

SHARES = 8
"""A point that all plays pass is tried in every eighth of them; `make faults` tries it in all."""
SHARED = "host/"
OWN = ("host/providers/", "host/clients/")


class Unprintable(Exception):  # noqa: N818 - a fault, not an error of ours
    """A fault that cannot even be put into words."""

    def __str__(self):
        raise ValueError("no words")


FAULTS = (ZeroDivisionError, RecursionError, MemoryError, Unprintable)


def points_of(play):
    """Every place where a fault can be raised -> the steps that come by it."""
    found = {}
    for one in play.steps:
        run = functools.partial(performing.perform, play, one)
        for code in faults.functions_of(run, threads=play.threads):
            if not hooks.stands_in(code):
                for leaving in (False, True):
                    found.setdefault(faults.Point(code, leaving), []).append(one)
    return found


def is_its_turn(point, name):
    """True for what only this SDK passes, and for its share of what every SDK does."""
    text = str(point)
    if not text.startswith(SHARED) or text.startswith(OWN):
        return True
    turn = zlib.crc32(text.encode()) + casting.playable().index(name)
    return turn % SHARES == 0


def differences(play, tries):
    """Where a step told something else than without the fault."""
    tries = list(tries)
    expected = {one: performing.perform(play, one) for one in {one for _, one, _ in tries}}
    found = []
    for point, one, fault in tries:
        told = apart(told_with, play, point, one, fault)
        if told != expected[one]:
            found.append(f"{fault.__name__} at {point} in step {one!r}: {told[:300]}")
    return found


def apart(function, *args):
    """Runs it in a context of its own.

    A binding that a fault keeps from being left must not reach the tests that come after.
    """
    return contextvars.copy_context().run(function, *args)


def told_with(play, point, one, fault):
    try:
        run = functools.partial(performing.perform, play, one)
        told = faults.play_with(run, point, fault, threads=play.threads)
    except Exception as escaped:  # noqa: BLE001 - a fault that broke the step itself
        told = f"escaped: {type(escaped).__name__}"
    if layers.active.get() is not None:
        # Every later call would be taken for a part of this one.
        layers.active.set(None)
        told = f"left its call open: {told}"
    return told


@every_play
def test_fault_anywhere_changes_nothing(play, name):
    kinds = itertools.cycle(FAULTS)
    tries = [
        (point, steps[0], next(kinds))
        for point, steps in points_of(play).items()
        if is_its_turn(point, name)
    ]

    assert differences(play, tries) == []


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@every_play
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_in_every_step_changes_nothing(play, name, fault):
    tries = [(point, one, fault) for point, steps in points_of(play).items() for one in steps]

    assert differences(play, tries) == []


@every_play
def test_ten_faults_switch_a_target_off(play, name, events):
    one = next(iter(play.steps))
    run = functools.partial(performing.perform, play, one)
    way_in = next(code for code in faults.functions_of(run) if not hooks.stands_in(code))

    way_in = faults.Point(way_in, leaving=False)
    worn = apart(faults.play_until_off, run, way_in, ZeroDivisionError)

    assert worn.told | {worn.told_since} == {performing.perform(play, one)}
    told_of_us = [event.dependency for event in events() if event.event_class == "internal"]
    # Two of its clients, one above the other, may wear out together.
    assert sorted(told_of_us) == sorted([*worn.off, *worn.off]) != []


@pytest.mark.parametrize("name", ["openai"])
def test_function_that_lost_its_guard_is_found(play, name, monkeypatch):
    monkeypatch.setattr(streams, "_finished", streams._finished.__wrapped__)
    point = faults.Point(streams._finished.__code__, leaving=False)

    found = differences(play, [(point, "chat stream read", ZeroDivisionError)])

    assert [text.partition(" in step")[0] for text in found] == [f"ZeroDivisionError at {point}"]


def test_what_needs_no_guard_exists():
    assert hooks.listed().keys() == hooks.names()


def test_what_needs_no_guard_imports_nothing():
    importing = {name for name, code in hooks.listed().items() if hooks.imports(code)}

    assert importing <= hooks.MAY_IMPORT
