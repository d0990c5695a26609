"""Which functions of ours have no guard above them, and why each of them needs none.

A patched attribute stands in the place of an SDK's own: a guard around it would swallow the SDK's
result with our fault. So do the iterators and context managers through which a result passes, and
the few steps that these take by themselves. Everything else of ours runs under a guard; what is
named nowhere here is made to fail by `test_faults`.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

from anchor_autopatch.host import patching
from tests.sdk.transparency.faults import OURS, place

_GUARD = "the guard itself, and what it does with a fault"
_CALLED = "called in the place of the SDK's own, and passes the call on"
_ITERATED = "passes on the steps of an iterator of the SDK's or the application's"
_ENTERED = "a context manager around the SDK's own work, whose steps are guarded"
_LOOK_UP = "one look-up in a dict, or one change of a context variable"
_OUR_API = "the application's own call of ours, whose work is guarded"

STAND_INS: dict[str, tuple[str, ...]] = {
    _GUARD: (
        "host/patching.py:guarded.<locals>.decorate.<locals>.run",
        "host/patching.py:guarded_reader.<locals>.run",
        "host/patching.py:note_fault",
        "host/clients/raw.py:_opening.<locals>.opened",
    ),
    _CALLED: (
        "host/clients/httpx.py:_watch_errors.<locals>.request",
        "host/executors.py:Carried.__call__",
        "host/executors.py:Carried.__init__",
        "host/executors.py:_shadow_run.<locals>.carried_run",
        "host/executors.py:as_nobody",
        "host/finder.py:AnchorFinder.find_spec",
        "host/finder.py:AnchorFinder._ask_the_others",
        "host/finder.py:_run_after",
        "host/finder.py:_run_after.<locals>.exec_module",
        "host/providers/cohere/sdk.py:_Adapter.wrap_async_stream.<locals>.stream",
        "host/providers/cohere/sdk.py:_Adapter.wrap_stream.<locals>.stream",
        "host/providers/grpc_stubs.py:_begin",
        "host/providers/grpc_stubs.py:_call",
        "host/providers/grpc_stubs.py:_call_async",
        "host/providers/grpc_stubs.py:_streamed.<locals>.__call__",
        "host/providers/grpc_stubs.py:_streamed_async.<locals>.__call__",
        "host/providers/litellm/functions.py:_wrap_function.<locals>.function",
        "host/providers/litellm/functions.py:_wrap_function.<locals>.function_async",
        "host/providers/litellm/native.py:_watched",
        "host/providers/litellm/native.py:_with_native",
        "host/providers/litellm/native.py:_watched.<locals>.call",
        "host/providers/litellm/native.py:_watched_async",
        "host/providers/litellm/native.py:_watched_async.<locals>.call",
        "host/providers/tap.py:tap.<locals>.aiter_bytes",
        "host/providers/tap.py:tap.<locals>.iter_bytes",
    ),
    _ITERATED: (
        "host/clients/httpx.py:_AsyncEach.__aiter__",
        "host/clients/httpx.py:_AsyncEach.__anext__",
        "host/clients/httpx.py:_AsyncEach.__init__",
        "host/clients/httpx.py:_AsyncEach._step",
        "host/clients/httpx.py:_AsyncEach.aclose",
        "host/clients/httpx.py:_AsyncEach.asend",
        "host/clients/httpx.py:_AsyncEach.athrow",
        "host/clients/httpx.py:_each",
        "host/clients/urllib3.py:_each",
        "host/providers/google/sdk.py:_steps",
        "host/providers/grpc_stubs.py:_steps",
        "host/providers/pieces.py:_AsyncPieces.__aiter__",
        "host/providers/pieces.py:_AsyncPieces.__anext__",
        "host/providers/pieces.py:_AsyncPieces.__init__",
        "host/providers/pieces.py:_AsyncPieces.aclose",
        "host/capture/steps.py:bound",
        "host/capture/steps.py:bound_async",
        "host/capture/streams.py:AsyncChunks.__aiter__",
        "host/capture/streams.py:AsyncChunks.__anext__",
        "host/capture/streams.py:AsyncChunks.__init__",
        "host/capture/streams.py:AsyncChunks._begin",
        "host/capture/streams.py:AsyncChunks._end",
        "host/capture/streams.py:AsyncChunks._key",
        "host/capture/streams.py:AsyncChunks.aclose",
        "host/capture/streams.py:each",
    ),
    _ENTERED: (
        "host/providers/cohere/sdk.py:_Entered.__aenter__",
        "host/providers/cohere/sdk.py:_Entered.__aexit__",
        "host/providers/cohere/sdk.py:_Entered.__enter__",
        "host/providers/cohere/sdk.py:_Entered.__exit__",
        "host/providers/cohere/sdk.py:_Entered.__init__",
        "host/providers/google/live.py:_Connection.__enter__",
        "host/providers/google/live.py:_Connection.__exit__",
        "host/providers/litellm/functions.py:_Running.__enter__",
        "host/providers/litellm/functions.py:_Running.__exit__",
        "host/providers/litellm/functions.py:_Running.__init__",
        "host/providers/litellm/functions.py:_Running.gave",
        "host/providers/litellm/native.py:_Running.__enter__",
        "host/providers/litellm/native.py:_Running.__exit__",
        "host/providers/litellm/native.py:_Running.__init__",
        "host/providers/litellm/native.py:_Running.gave",
        "host/providers/litellm/native.py:_Step.__enter__",
        "host/providers/litellm/native.py:_Step.__exit__",
        "host/providers/litellm/native.py:_Step.__init__",
        "host/providers/litellm/native.py:_Step.gave",
        "host/providers/litellm/streams.py:_Step.__enter__",
        "host/providers/litellm/streams.py:_Step.__exit__",
        "host/providers/litellm/streams.py:_Step.__init__",
        "host/providers/litellm/streams.py:_Step.gave",
        "host/request_context.py:Snapshot.__enter__",
        "host/request_context.py:Snapshot.__exit__",
    ),
    _LOOK_UP: (
        "host/clients/exchange.py:Exchange.enter",
        "host/clients/exchange.py:Exchange.leave",
        "host/clients/gateways.py:_gateways",
        "host/clients/raw.py:_Counted.answered",
        "host/clients/raw.py:_Counted.enter",
        "host/clients/raw.py:_Counted.failed",
        "host/clients/raw.py:_Counted.leave",
        "host/clients/raw.py:_OpenBodies.died",
        "host/clients/raw.py:left",
        "host/configuration.py:may_refuse",
        "host/capture/identity.py:ObjectMemo._forget",
        "host/capture/identity.py:ObjectMemo.died",
        "host/capture/identity.py:ObjectMemo.get",
        "host/capture/identity.py:ObjectMemo.pop",
        "host/capture/layers.py:leave_context",
        "host/providers/amazon/botocore.py:Adapter.refused_injection",
        "host/providers/cohere/sdk.py:_Adapter.refused_injection",
        "host/providers/google/sdk.py:_Adapter.refused_injection",
        "host/providers/litellm/streams.py:_Calls.died",
        "host/providers/speakeasy/sdk.py:_Adapter.refused_injection",
        "host/providers/tap.py:untap",
        "host/providers/xai_sdk.py:_Adapter.refused_injection",
        "host/capture/sessions.py:Sessions.close",
        "host/capture/sessions.py:Sessions.died",
        "host/capture/streams.py:_OpenStreams.died",
        "host/capture/streams.py:find",
        "host/capture/streams.py:leave",
        "host/capture/streams.py:leave_response",
    ),
    _OUR_API: (
        "__init__.py:__getattr__",
        "host/context.py:attribute.__aenter__",
        "host/context.py:attribute.__aexit__",
        "host/context.py:attribute.__call__",
        "host/context.py:attribute.__call__.<locals>.run",
        "host/context.py:attribute.__call__.<locals>.run_async",
        "host/context.py:attribute.__enter__",
        "host/context.py:attribute.__exit__",
        "host/context.py:attribute.__init__",
        "host/context.py:attribute._around_steps",
        "host/context.py:attribute._around_steps.<locals>.run_steps",
        "host/context.py:current",
        "host/manual.py:flush",
        "host/manual.py:record",
    ),
}
"""Why -> functions without a guard above them that are no patched attribute."""

MAY_IMPORT = frozenset(
    {
        "__init__.py:__getattr__",
        "host/context.py:attribute._around_steps",
        "host/patching.py:note_fault",
    }
)
"""Those of the listed functions that import a module of ours: where that fails, so does the
package."""


def names() -> set[str]:
    """Every listed function."""
    return {name for found in STAND_INS.values() for name in found}


_LISTED = names()


def stands_in(code: CodeType) -> bool:
    """True for a function that runs in the place of an SDK's own."""
    return place(code) in _LISTED or code in patched()


def patched() -> set[CodeType]:
    """The code of every function that is in the place of another at this moment."""
    found: set[CodeType] = set()
    for owner, name, _ in patching._undo:
        function = vars(owner).get(name)
        # Two layers of ours may be around one function, and `contextlib` around them.
        while function is not None:
            code = getattr(function, "__code__", None)
            if code is not None:
                found.add(code)
            function = getattr(function, "__wrapped__", None)
    return found


def listed() -> dict[str, CodeType]:
    """Name -> code of each listed function, as far as the package has it."""
    found = {}
    for path in sorted(Path(OURS).rglob("*.py")):
        module = compile(path.read_text(), str(path), "exec", dont_inherit=True)
        found |= {place(code): code for code in _within(module) if place(code) in _LISTED}
    return found


def _within(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _within(constant)


def imports(code: CodeType) -> bool:
    """True for a function that imports something by itself."""
    return any(step.opname == "IMPORT_NAME" for step in dis.get_instructions(code))
