"""One operation as an ASGI application: reads the call, refuses it when wished, hands it on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.provider_sim.answers import JSON_TYPE, Answer, Headers, Plain
from examples.provider_sim.calls import Call, Operation, read_call
from examples.provider_sim.exchange import Exchange
from examples.provider_sim.failures import REFUSALS, Failure
from examples.provider_sim.ledger import Visit
from examples.provider_sim.refusals import refuse
from examples.provider_sim.values import SimulationError, dump

Build = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation; `model_in` finds the model in the path where the body does not name it."""

    operation: Operation
    build: Build
    usual_headers: Callable[[Call], Headers]
    model_in: Callable[[str], str | None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = await self._settle(Request(scope, receive))
        await app(scope, receive, send)

    async def _settle(self, request: Request) -> ASGIApp:
        try:
            model = self.model_in(request.scope["path"])
            call = await read_call(request, self.operation, model)
        except SimulationError as error:
            return self._misunderstood(str(error))
        if call.plan.delay:
            await asyncio.sleep(call.plan.delay)
        failure = _due(call)
        # A failure that is over must not distort the answer that follows it.
        if failure is None and call.plan.fail is not None:
            call = replace(call, plan=replace(call.plan, fail=None))
        # Before the answer: a client that hangs or resets was there all the same.
        call.ledger.visits.append(_visit(call, failure.kind if failure else "ok"))
        headers = self.usual_headers(call)
        if failure and failure.kind in REFUSALS:
            return _refusal(call, failure, headers)
        return Exchange(call, self.build, failure, headers)

    def _misunderstood(self, message: str) -> Plain:
        failure = Failure("bad_request")
        refusal = refuse(self.operation.wire, failure, model="", request_id="req_simulated")
        refusal.body["error"]["message"] = message
        return Plain(400, [JSON_TYPE], dump(refusal.body))


def _due(call: Call) -> Failure | None:
    """Return the failure of this very try, counting the tries of one and the same request."""
    failure = call.plan.fail
    if failure is None or not _applies(failure, call):
        return None
    if failure.times is None:
        return failure
    # SDKs send the same bytes again when they retry; nothing else marks one logical call.
    key, attempts = hash((call.path, call.raw)), call.state.attempts
    with call.state.lock:
        attempts[key] = attempts.get(key, 0) + 1
        if attempts[key] <= failure.times:
            return failure
        # Forgotten, so that the same call made anew fails anew.
        del attempts[key]
    return None


def _applies(failure: Failure, call: Call) -> bool:
    return not failure.kind.startswith("reject_stream_options") or "stream_options" in call.body


def _visit(call: Call, outcome: str) -> Visit:
    return Visit(
        call.at, call.provider, call.operation.name, call.path, call.model, call.attempt, outcome
    )


def _refusal(call: Call, failure: Failure, headers: Headers) -> Plain:
    wire = "azure" if call.provider == "azure" else call.operation.wire
    refusal = refuse(wire, failure, model=call.model, request_id=call.request_id)
    own = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    if isinstance(failure.body, str):
        kind = (b"content-type", b"text/plain")
        return Plain(refusal.status, [kind, *own, *headers], failure.body.encode())
    return Plain(refusal.status, [JSON_TYPE, *own, *headers], dump(refusal.body))
