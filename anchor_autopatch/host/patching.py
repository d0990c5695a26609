"""Puts our functions in the place of an SDK's, takes them away again.

And keeps our faults out of its calls.

Everything of ours that runs inside a user's call goes through `guarded`: a fault of ours ends
there, is counted, and after `FAULT_LIMIT` of them the target is switched off for the rest of the
process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

from anchor_autopatch.core.errors import AttributionRequired
from anchor_autopatch.host.targets import Target

FAULT_LIMIT = 10

_Result = TypeVar("_Result")


class State(NamedTuple):
    """What became of one target in this process; what `anchor doctor` prints."""

    name: str
    version: str | None
    patched: bool
    reason: str | None
    """Why it is not patched, or why it was switched off later; None when all is well."""


states: dict[str, State] = {}
off: set[str] = set()
"""Targets that were switched off after too many faults."""
_faults: dict[str, int] = {}
_undo: list[tuple[object, str, object]] = []
_ABSENT = object()


class NotPatchableError(Exception):
    """The SDK's shape is not the one that the patcher knows.

    The text says which part is missing.
    """


def apply(target: Target) -> None:
    """Patches one target and records the result in `states`.

    Never raises, since the host is importing.
    """
    version = None
    made = len(_undo)
    try:
        module = sys.modules[target.trigger]
        patcher = import_module(target.patcher)
        version = patcher.version()
        _check_version(target, version)
        patcher.patch(module)
    except Exception as error:  # noqa: BLE001 - the host's import goes on; `states` tells the doctor
        # Half a patch would begin calls that nothing ends.
        _undo_down_to(made)
        states[target.name] = State(target.name, version, False, f"{type(error).__name__}: {error}")
        return
    states[target.name] = State(target.name, version, True, None)


def _check_version(target: Target, version: str | None) -> None:
    if version is not None and _release(version) < _release(target.minimum):
        raise NotPatchableError(f"{target.distribution} {version} is older than {target.minimum}")


def _release(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split(".")[:3]:
        digits = "".join(c for c in part if c.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def replace(owner: object, name: str, make: Callable[[Any], object]) -> None:
    """Sets `owner.name` to `make(original)`, once: an attribute that is ours already stays.

    Raises:
        NotPatchableError: `owner` has no attribute of its own of that name, or it is not a plain
            function.
    """
    original = vars(owner).get(name)
    if getattr(original, "_anchor_original", None) is not None:
        return
    expect(owner, name)
    # Another library's wrapt wrapper is a function by `isinstance`, but finds its instance only
    # where it is reached through the class: called as it lies there, it takes the instance for an
    # argument (ddtrace's of httpx then fails, and the application's call with it).
    ours = make(original if type(original) is FunctionType else getattr(owner, name))
    ours._anchor_original = original  # type: ignore[attr-defined]  # the mark that makes this idempotent
    setattr(owner, name, ours)
    _undo.append((owner, name, original))


def expect(owner: object, *names: str) -> None:
    """Makes sure that what is to be replaced is there, perhaps later than now.

    Raises:
        NotPatchableError: one of these is no plain function of `owner`'s own.
    """
    for name in names:
        if not isinstance(vars(owner).get(name), FunctionType):
            text = f"{getattr(owner, '__name__', owner)!r} has no function {name!r}"
            raise NotPatchableError(text)


def replace_if_present(owner: object, name: str, make: Callable[[Any], object]) -> None:
    """Like `replace`, for a function that not every supported version has."""
    if isinstance(vars(owner).get(name), FunctionType):
        replace(owner, name, make)


def put(owner: object, name: str, ours: object) -> None:
    """Sets `owner.name`, which is no plain function or does not exist; undone as by `replace`."""
    original = vars(owner).get(name, _ABSENT)
    if original is not ours:
        setattr(owner, name, ours)
        _undo.append((owner, name, original))


def undo_all() -> None:
    """Puts every original back, last first."""
    _undo_down_to(0)
    states.clear()


def _undo_down_to(count: int) -> None:
    while len(_undo) > count:
        owner, name, original = _undo.pop()
        if original is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def guarded(
    target: str | None = None,
) -> Callable[[Callable[..., _Result]], Callable[..., _Result | None]]:
    """Decorates a function of ours that runs inside a user's call.

    Its fault becomes None and is counted.

    Args:
        target: Whose fault it is; None: that of the call which is the first argument.
    """

    def decorate(function: Callable[..., _Result]) -> Callable[..., _Result | None]:
        @wraps(function)
        def run(*args: Any) -> _Result | None:
            try:
                return function(*args)
            except AttributionRequired:
                # No fault: the policy refuses the call, and its caller has to know.
                raise
            except Exception as fault:  # noqa: BLE001 - the user's call goes on; the fault is counted and recorded
                try:
                    note_fault(target or args[0].target, function.__name__, fault)
                except Exception:  # noqa: BLE001 - the stack or the memory is at its end: nobody is left to tell
                    return None
                return None

        return run

    return decorate


def guarded_reader(target: str, feed: Callable[[Any], _Result]) -> Callable[[Any], _Result | None]:
    """Guards the `feed` of one open stream: its fault becomes None and is counted."""

    # Not `guarded`: copying name and docstring costs 5 us a stream, any number of arguments 0.1 us
    # a chunk.
    def run(chunk: Any) -> _Result | None:
        try:
            return feed(chunk)
        except Exception as fault:  # noqa: BLE001 - as in `guarded`: the stream goes on without us
            try:
                note_fault(target, "feed", fault)
            except Exception:  # noqa: BLE001 - as in `guarded`
                return None
            return None

    return run


def note_fault(target: str, where: str, fault: Exception) -> None:
    """Counts a fault of ours, leaves one exception event for the first.

    And switches a failing target off.
    """
    count = _faults.get(target, 0) + 1
    _faults[target] = count
    if count == FAULT_LIMIT:
        off.add(target)
        known = states.get(target)
        version = known.version if known else None
        states[target] = State(
            target, version, False, f"switched off after {count} internal errors"
        )
    if count in (1, FAULT_LIMIT):
        from anchor_autopatch.host import failures

        failures.record_internal(target, where, fault, switched_off=count == FAULT_LIMIT)
