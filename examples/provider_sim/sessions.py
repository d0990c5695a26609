"""WebSocket sessions: what a client says in one, and each turn of it as a billed call."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from examples.provider_sim.answers import JSON_TYPE, Answer, Bill
from examples.provider_sim.billing import Billing
from examples.provider_sim.calls import Call, Operation, session_call
from examples.provider_sim.failures import REFUSALS
from examples.provider_sim.ledger import Visit
from examples.provider_sim.refusals import refuse
from examples.provider_sim.script import OPENING
from examples.provider_sim.values import Json, SimulationError, dump

TURN = "#turn"


@dataclass(frozen=True, slots=True)
class Session:
    """One open session: its socket, whom it belongs to, the model that the URL names."""

    socket: WebSocket
    operation: Operation
    model: str

    async def say(self, event: Json) -> None:
        """Send one event to the client."""
        await self.socket.send_bytes(dump(event))

    async def heard(self) -> AsyncIterator[Json]:
        """Yield the client's events until it leaves."""
        while True:
            message = await self.socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            event = json.loads(message.get("text") or message.get("bytes") or "{}")
            if isinstance(event, dict):
                yield event

    def call(self, moment: str = "", model: str | None = None) -> Call:
        """Return the session, or its opening, as a call."""
        opened = cast("Request", self.socket)
        return session_call(opened, self.operation, model or self.model, {}, moment)

    def turn(self, body: Json, model: str | None = None, name: str | None = None) -> Call:
        """Return one turn as a call with its own wishes; `name` is its operation in the ledger."""
        operation = self.operation._replace(name=name or self.operation.name)
        opened = cast("Request", self.socket)
        return session_call(opened, operation, model or self.model, body, TURN)


Talk = Callable[[Session], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SessionEndpoint:
    """One kind of session as an ASGI application."""

    operation: Operation
    talk: Talk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one session, or refuse it as a script wishes."""
        socket = WebSocket(scope, receive, send)
        session = Session(socket, self.operation, socket.query_params.get("model") or "")
        try:
            call = session.call(OPENING)
        except SimulationError as error:
            await socket.send_denial_response(Response(str(error), 400))
            return
        if call.plan.fail and call.plan.fail.kind in REFUSALS:
            visit(call, call.plan.fail.kind)
            await socket.send_denial_response(_refusal(call))
            return
        await socket.accept()
        try:
            await self.talk(session)
        except WebSocketDisconnect:
            return


def _refusal(call: Call) -> Response:
    assert call.plan.fail is not None
    wire = call.operation.wire
    told = refuse(wire, call.plan.fail, model=call.model, request_id=call.request_id)
    return Response(dump(told.body), told.status, told.headers, JSON_TYPE[1].decode())


def visit(call: Call, outcome: str = "ok") -> None:
    """Note a turn in the journal."""
    call.ledger.visits.append(
        Visit(call.at, call.provider, call.operation.name, call.path, call.model, None, outcome)
    )


def charge(call: Call, bill: Bill, *, done: int = 1, of: int = 1) -> None:
    """Bill a turn of which `done` of `of` chunks were generated."""
    usage = bill.usage_after(done, of)
    whole = Bill(bill.model, usage, bill.meters, None, bill.response_id, bill.tier)
    fault = call.plan.fail.kind if call.plan.fail else None
    billing = Billing(call, fault)
    billing.charge(Answer(frames=(), bill=whole), delivered=done == of)
    visit(call, fault or "ok")


async def hang_up(session: Session) -> None:
    """End the connection without the closing handshake, as a lost network does."""
    # uvicorn's protocol object, whose bound method `receive` is; see `connection`.
    protocol = getattr(session.socket._receive, "__self__", None)
    transport = getattr(protocol, "transport", None)
    if transport is None:
        raise RuntimeError("The simulator must be served by uvicorn: it drops its connection")
    transport.abort()
