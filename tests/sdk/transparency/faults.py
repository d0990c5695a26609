"""Raises a fault where a function of ours begins or ends, whichever functions there are.

Nothing is listed: a first run under a trace function notes every function of `anchor_autopatch`
that runs inside a step, and each of them is then made to fail. A hook point that is written
tomorrow is found by the same run.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple
from unittest import mock

import anchor_autopatch
from anchor_autopatch.host import patching

OURS = str(Path(anchor_autopatch.__file__).parent) + "/"


class Point(NamedTuple):
    """A place where a fault is raised."""

    code: CodeType
    leaving: bool
    """False: at the function's first line; True: when it has done its work."""

    def __str__(self) -> str:
        where = self.code.co_filename.removeprefix(OURS)
        return f"{where}:{self.code.co_qualname}{' leaving' if self.leaving else ''}"


def place(code: CodeType) -> str:
    """A function's name for tables: path below the package, qualified name."""
    return f"{code.co_filename.removeprefix(OURS)}:{code.co_qualname}"


def functions_of(step: Callable[[], object], *, threads: bool = False) -> list[CodeType]:
    """Every function of ours that runs in the step, in order.

    Args:
        step: What to run.
        threads: True where threads that it starts are a part of it, and no server of the test's.
    """
    found: dict[CodeType, None] = {}

    def trace(frame: FrameType, _event: str, _arg: object) -> None:
        if frame.f_code.co_filename.startswith(OURS):
            found[frame.f_code] = None

    with _tracing(trace, threads=threads):
        step()
    return list(found)


def play_with(
    step: Callable[[], str], point: Point, fault: type[BaseException], *, threads: bool = False
) -> str:
    """Runs a step while every run of the function at this point fails; what the step told."""
    with _forgotten(), _failing(point, fault, threads=threads):
        return step()


def play_until_off(step: Callable[[], str], point: Point, fault: type[BaseException]) -> Worn:
    """Runs a step with its faults again and again until they have switched something off."""
    with _forgotten():
        told = set()
        for _ in range(patching.FAULT_LIMIT):
            if not patching.off:
                with _failing(point, fault, threads=False):
                    told.add(step())
        return Worn(told, frozenset(patching.off), step())


class Worn(NamedTuple):
    """What became of a target that failed too often."""

    told: set[str]
    """What the step told while it failed."""
    off: frozenset[str]
    """Targets that are off since."""
    told_since: str
    """What the step tells from then on."""


@contextmanager
def _failing(point: Point, fault: type[BaseException], *, threads: bool) -> Iterator[None]:
    def fail() -> None:
        raise fault(f"a fault of ours at {point}")

    def leave(_frame: FrameType, event: str, _arg: object) -> Any:
        # An exception on its way out, or on its way to a handler, is left alone.
        if event == "return":
            fail()
        return leave if event != "exception" else None

    def trace(frame: FrameType, _event: str, _arg: object) -> Any:
        if frame.f_code is not point.code:
            return None
        if point.leaving:
            frame.f_trace_lines = False
            return leave
        return fail()

    def again(*arguments: Any) -> None:
        # Python takes a trace function away that has raised: put back where the fault ends.
        noted(*arguments)
        sys.settrace(trace)

    noted = patching.note_fault
    with mock.patch.object(patching, "note_fault", again), _tracing(trace, threads=threads):
        yield


@contextmanager
def _forgotten() -> Iterator[None]:
    """Counts faults from none, and switches on again what they have switched off."""
    known = dict(patching.states)
    patching._faults.clear()
    try:
        yield
    finally:
        patching._faults.clear()
        patching.off.clear()
        patching.states.update(known)


@contextmanager
def _tracing(trace: Any, *, threads: bool) -> Iterator[None]:
    before = sys.gettrace()
    if threads:
        threading.settrace(trace)
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
        threading.settrace(before)  # type: ignore[arg-type]  # None is what it was
