"""Every function that we put in the place of another looks, binds and pickles like that one.

The checks of transparency that each function can answer by itself, over the registry of what is
patched: a target that is added tomorrow is checked by the same lines. What an application sees of
raw responses and `.parse` is a step of the plays (`test_as_without_us`).
"""

from __future__ import annotations

import asyncio
import copy
import importlib
import inspect
import pickle
import types
import typing
import warnings
from typing import Any, NamedTuple
from unittest import mock

import pytest

from anchor_autopatch.host import patching
from anchor_autopatch.host.targets import DEPENDENCIES, EXECUTORS, FRAMEWORKS, PARTS, TARGETS


class Pair(NamedTuple):
    """A function of ours and the one whose place it has taken."""

    owner: Any
    """The class or module that it is an attribute of."""
    name: str
    ours: Any
    original: Any

    def __str__(self) -> str:
        owner = getattr(self.owner, "__qualname__", "")
        return f"{self.ours.__module__}:{owner}.{self.name}"


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Every patched function of every target that can be imported here."""
    for target in (*TARGETS, *PARTS, *DEPENDENCIES, *FRAMEWORKS, *EXECUTORS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                importlib.import_module(target.trigger)
            except ImportError:
                continue
    return [
        Pair(owner, name, ours, original)
        for owner, name, original in patching._undo
        if isinstance(original, types.FunctionType)
        and hasattr(ours := vars(owner)[name], "_anchor_original")
    ]


@pytest.fixture
def methods(pairs) -> list[Pair]:
    """Those that are attributes of a class."""
    return [pair for pair in pairs if isinstance(pair.owner, type)]


def differing(pairs, look):
    """Name -> what `look` sees in ours and in the original, where that is not the same."""
    seen = {str(pair): (answer(look, pair.ours), answer(look, pair.original)) for pair in pairs}
    return {name: both for name, both in seen.items() if both[0] != both[1]}


def answer(look, function):
    """What `look` gives; what it raises, in words."""
    try:
        return look(function)
    except Exception as error:  # noqa: BLE001 - compared, not hidden
        return type(error), str(error)


def test_something_of_every_sdk_is_checked(pairs):
    found = {pair.ours.__module__.partition(".")[0] for pair in pairs}

    assert {"openai", "anthropic", "groq", "google", "mistralai", "cohere", "botocore"} <= found
    assert {"xai_sdk", "httpx", "requests", "urllib3", "aiohttp", "threading"} <= found


LOOKS = {
    "type": type,
    "isfunction": inspect.isfunction,
    "isinstance of FunctionType": lambda f: isinstance(f, types.FunctionType),
    "iscoroutinefunction": inspect.iscoroutinefunction,
    "asyncio.iscoroutinefunction": asyncio.iscoroutinefunction,
    "signature": inspect.signature,
    "__name__": lambda f: f.__name__,
    "__qualname__": lambda f: f.__qualname__,
    "__module__": lambda f: f.__module__,
    "__doc__": lambda f: f.__doc__,
    "__annotations__": lambda f: f.__annotations__,
    "type hints": typing.get_type_hints,
    "source": inspect.getsource,
    "unwrapped": inspect.unwrap,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("look", LOOKS)
def test_looks_like_the_original(pairs, look):
    assert differing(pairs, LOOKS[look]) == {}


def test_takes_the_parameters_of_the_original(pairs):
    def parameters(function):
        return list(inspect.signature(function).parameters)

    assert differing(pairs, parameters) == {}


def test_binds_to_its_instance(methods):
    for owner, name, ours, _ in methods:
        instance = types.SimpleNamespace()
        bound = types.MethodType(vars(owner)[name], instance)

        assert inspect.ismethod(bound)
        assert (bound.__self__, bound.__func__) == (instance, ours)
        assert inspect.isfunction(getattr(owner, name))


def test_pickles_as_its_name(pairs):
    # What has no name of its own (made inside another function) could be pickled by nobody.
    named = [pair for pair in pairs if "<locals>" not in pair.original.__qualname__]
    broken = [str(pair) for pair in named if not pickles(pair)]

    assert broken == []


def pickles(pair):
    """True when ours comes back as itself, or when the original could not be found either."""
    owner = importlib.import_module(pair.original.__module__)
    for part in pair.original.__qualname__.split("."):
        owner = getattr(owner, part, None)
    if owner is not pair.ours:
        # Another function of that name stands there: pickle refuses the original as well.
        return owner is not pair.original
    return pickle.loads(pickle.dumps(pair.ours)) is pair.ours


def test_copies_as_itself(pairs):
    assert [str(p) for p in pairs if copy.deepcopy(p.ours) is not p.ours] == []
    assert [str(p) for p in pairs if copy.copy(p.ours) is not p.ours] == []


@pytest.mark.filterwarnings("ignore")
def test_autospec_takes_what_the_original_takes(methods):
    unlike = []
    for pair in methods:
        ours, original = (mock.create_autospec(f) for f in (pair.ours, pair.original))
        same = inspect.signature(ours) == inspect.signature(original)
        if not same or type(ours) is not type(original):
            unlike.append(str(pair))

    assert unlike == []


def test_class_keeps_its_name_and_its_attributes(methods):
    for owner, name, ours, original in methods:
        assert vars(owner)[name] is ours
        assert getattr(ours, "__isabstractmethod__", False) == getattr(
            original, "__isabstractmethod__", False
        )
        assert set(vars(ours)) - set(vars(original)) <= {"__wrapped__", "_anchor_original"}


def with_too_little(function):
    """How a call that lacks every argument but the first ends, once it is awaited or entered."""
    result = function(mock.MagicMock())
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if hasattr(result, "__aenter__"):
        return asyncio.run(result.__aenter__())
    if hasattr(result, "__enter__"):
        return result.__enter__()
    return next(result) if inspect.isgenerator(result) else result


def lacks_arguments(function):
    """True for a function with an argument, beside the first, that must be given."""
    given = list(inspect.signature(function).parameters.values())[1:]
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(one.default is one.empty and one.kind not in optional for one in given)


# Called by their own framework or client class alone, and never by an application.
INTERNAL = ("aiohttp.web_protocol:", "gunicorn.", "xai_sdk.")


@pytest.mark.filterwarnings("ignore")
def test_missing_argument_raises_the_same(pairs, home):
    called = [pair for pair in pairs if not str(pair).startswith(INTERNAL)]
    incomplete = [pair for pair in called if lacks_arguments(pair.original)]

    assert differing(incomplete, with_too_little) == {}


CLIENTS = ("aiohttp.client:", "httpx.", "httpx2.", "requests.", "urllib3.connectionpool")


def test_missing_argument_is_no_fault_of_ours(pairs, home):
    sending = [pair for pair in pairs if str(pair).startswith(CLIENTS)]
    patching._faults.clear()

    for pair in sending:
        answer(with_too_little, pair.ours)

    assert patching._faults == {}
