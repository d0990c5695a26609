"""The guard around everything of ours ends any fault, whatever state the process is in."""

from __future__ import annotations

import pytest

from anchor_autopatch.host import patching


class Unprintable(Exception):  # noqa: N818 - as an application might name it
    def __str__(self):
        raise ValueError("no words")


@patching.guarded("openai")
def fail(fault):
    raise fault


@pytest.mark.parametrize("fault", [ZeroDivisionError(), RecursionError(), MemoryError()])
def test_fault_becomes_none(home, fault):
    assert fail(fault) is None


def test_fault_without_words_is_told_by_its_name(home, one_event):
    fail(Unprintable())

    assert (one_event().exception_type, "cannot be printed" in one_event().message) == (
        "Unprintable",
        True,
    )


def test_fault_in_telling_of_a_fault_ends_too(home, monkeypatch):
    monkeypatch.setattr(patching, "note_fault", None)

    assert fail(ZeroDivisionError()) is None


def test_guard_holds_where_the_stack_ends(home):
    @patching.guarded("openai")
    def overflow():
        return overflow.__wrapped__() and None

    assert overflow() is None
    assert patching._faults == {"openai": 1}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_fault_passes(home, stop):
    with pytest.raises(stop):
        fail(stop())

    assert patching._faults == {}


def test_fault_in_a_call_is_its_targets(home):
    class Call:
        target = "anthropic"

    patching.guarded()(lambda _call: 1 / 0)(Call())

    assert patching._faults == {"anthropic": 1}
