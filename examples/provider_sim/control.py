"""The control endpoints under /_sim/: script, clock, prices, ledger, journal, invoices, reset."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from examples.provider_sim import invoices
from examples.provider_sim.state import State
from examples.provider_sim.values import Json, SimulationError

_STRAGGLER_SECONDS = 0.005


def _state(request: Request) -> State:
    state: State = request.app.state.sim
    return state


async def refused(_request: Request, error: Exception) -> Response:
    """Answer a control request that is not understood."""
    return JSONResponse({"error": str(error)}, status_code=400)


async def _objects(request: Request) -> list[Json]:
    """Return the JSON objects in the body: one, or a list of them; none for no body."""
    raw = await request.body()
    try:
        given = json.loads(raw or b"[]")
    except ValueError as error:
        raise SimulationError(f"The body is not valid JSON: {error}") from error
    objects = given if isinstance(given, list) else [given]
    if not all(isinstance(each, dict) for each in objects):
        raise SimulationError("The body must be a JSON object, or a list of them")
    return objects


async def script(request: Request) -> Response:
    """GET: the open rules. POST: append one rule or a list of rules."""
    state = _state(request)
    if request.method == "GET":
        return JSONResponse(state.script.rows())
    rules = await _objects(request)
    with state.lock:
        return JSONResponse({"rules": [state.script.add(rule) for rule in rules]})


async def clock(request: Request) -> Response:
    """POST {"now": instant, "ticking": false} or {"advance": seconds}; GET tells the time."""
    state = _state(request)
    for wanted in await _objects(request):
        try:
            _set_clock(state, wanted)
        except (TypeError, ValueError) as error:
            raise SimulationError(f"Clock not understood: {error}") from error
    return JSONResponse({"now": state.clock.now().isoformat().replace("+00:00", "Z")})


def _set_clock(state: State, given: Json) -> None:
    if "now" in given:
        instant = datetime.fromisoformat(str(given["now"]))
        if instant.tzinfo is None:
            raise ValueError(f"{given['now']!r} has no time zone; write it in UTC with a Z")
        state.clock.set(instant.astimezone(UTC), ticking=given.get("ticking") is True)
    if "advance" in given:
        state.clock.advance(float(given["advance"]))


async def prices(request: Request) -> Response:
    """GET: the price list. POST: put prices over it, for the charges that follow."""
    state = _state(request)
    for wanted in await _objects(request):
        with state.lock:
            state.prices.overlay(wanted)
    return JSONResponse(state.prices.rows())


async def ledger(request: Request) -> Response:
    """GET: what was billed, oldest first; ?provider= narrows it."""
    state, wanted = _state(request), request.query_params.get("provider")
    with state.lock:
        rows = state.ledger.rows()
    return JSONResponse([row for row in rows if wanted in (None, row["provider"])])


async def journal(request: Request) -> Response:
    """GET: every request that arrived, billed or not, oldest first."""
    state = _state(request)
    with state.lock:
        return JSONResponse(state.ledger.visit_rows())


async def reset(request: Request) -> Response:
    """POST: forget everything."""
    # Requests of clients that have gone may still lie in their sockets: let them come in first.
    await asyncio.sleep(_STRAGGLER_SECONDS)
    _state(request).reset()
    return JSONResponse({})


async def invoice(request: Request) -> Response:
    """GET /_sim/invoice/{kind}: the ledger as a provider would invoice it."""
    return _invoice(request, request.path_params["kind"], _query(request))


async def openai_costs(request: Request) -> Response:
    """GET /v1/organization/costs: the same by the provider's own path, pages of 7 days."""
    # Unlike ours, the provider's dimensions are null unless they are asked for.
    return _invoice(request, "openai_costs", {"limit": "7", "group_by": "", **_query(request)})


async def anthropic_cost_report(request: Request) -> Response:
    """GET /v1/organizations/cost_report: the same by the provider's own path, pages of 7 days."""
    return _invoice(request, "anthropic_cost_report", {"limit": "7", **_query(request)})


def _query(request: Request) -> dict[str, str]:
    """Return the query, repeated names (also written name[]) joined by commas."""
    joined: dict[str, str] = {}
    for written, value in request.query_params.multi_items():
        name = written.removesuffix("[]")
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _invoice(request: Request, kind: str, query: dict[str, str]) -> Response:
    state = _state(request)
    with state.lock:
        charges = state.ledger.charges()
    body, media_type = invoices.render(kind, charges, query)
    return Response(body, media_type=media_type)


def routes() -> list[BaseRoute]:
    """Return the control routes and the providers' own billing paths."""
    both = ["GET", "POST"]
    return [
        Route("/_sim/script", script, methods=both),
        Route("/_sim/clock", clock, methods=both),
        Route("/_sim/prices", prices, methods=both),
        Route("/_sim/ledger", ledger, methods=["GET"]),
        Route("/_sim/requests", journal, methods=["GET"]),
        Route("/_sim/reset", reset, methods=["POST"]),
        Route("/_sim/invoice/{kind}", invoice, methods=["GET"]),
        Route("/v1/organization/costs", openai_costs, methods=["GET"]),
        Route("/v1/organizations/cost_report", anthropic_cost_report, methods=["GET"]),
    ]
