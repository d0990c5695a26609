"""Tells the operator's own gateways who a call is for, so that their logs join with receipts.

Only hosts that `[outbound] gateways` lists get these headers, at each hop anew, so that a redirect
takes them nowhere else. A header that the application sends by itself stays as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import configuration
from anchor_autopatch.host.capture import layers
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from anchor_autopatch.core.records import Attribution
    from anchor_autopatch.host.capture.calls import Call

RECEIPT_HEADER = "x-owner-receipt-id"
_FIELDS = {
    "x-owner-team": "team",
    "x-owner-product": "service",
    "x-owner-feature": "feature",
    "x-owner-env": "environment",
    "x-owner-request-id": "request_id",
}
# What code or a rule says may be any text; a header takes what another hook would accept.
_PLAIN = re.compile(r"[A-Za-z0-9._:/@-]{1,64}").fullmatch
_TRACE_ID = re.compile(r"[0-9a-f]{32}").fullmatch
_NONE: frozenset[str] = frozenset()


def headers_for(netloc: str) -> dict[str, str]:
    """The headers for the provider call that is open here, sent to host[:port].

    {} for every host that is no gateway, and outside of a provider call.
    """
    gateways = _gateways()
    if not gateways or not netloc:
        return {}
    host = netloc.rpartition("@")[2].lower()
    if host not in gateways and host.rpartition(":")[0] not in gateways:
        return {}
    call = layers.open_layer()
    return _headers(call) if call is not None else {}


def _gateways() -> frozenset[str]:
    # Asked first: a program that sends things, but calls no provider, needs no policy for it.
    if layers.active.get() is None:
        return _NONE
    return _listed() or _NONE


@guarded("gateways")
def _listed() -> frozenset[str]:
    policy = configuration.policy()
    return policy.gateways if policy is not None else _NONE


def _headers(call: Call) -> dict[str, str]:
    who = call.attribution
    found = {name: getattr(who, field) for name, field in _FIELDS.items()}
    headers = {name: value for name, value in found.items() if value and _PLAIN(value)}
    if call.receipt_id is None:
        from anchor_autopatch.host import ids

        call.receipt_id = ids.uuid7()
    headers[RECEIPT_HEADER] = call.receipt_id
    trace = _traceparent(who)
    return {**headers, "traceparent": trace} if trace else headers


def _traceparent(who: Attribution) -> str | None:
    from anchor_autopatch.host.attribution import otel

    span = otel.current_span()
    if span is not None:
        return f"00-{span.trace_id}-{span.span_id}-01"
    if who.trace_id is None or not _TRACE_ID(who.trace_id):
        return None
    # The caller's span is not ours to name: this send is a span of its own below it.
    return f"00-{who.trace_id}-{os.urandom(8).hex()}-01"


@guarded("gateways")
def add(headers: MutableMapping[str, Any], netloc: str) -> tuple[str, ...]:
    """Adds ours to a request's own, case-insensitive headers; the names that were added."""
    ours = {name: text for name, text in headers_for(netloc).items() if name not in headers}
    headers.update(ours)
    return tuple(ours)


@guarded("gateways")
def take_back(headers: MutableMapping[str, Any], names: tuple[str, ...]) -> None:
    """Removes what was added: the request may be the application's, and may be sent elsewhere."""
    for name in names:
        headers.pop(name, None)


@guarded("gateways")
def _with_ours(given: Any, netloc: str) -> Any:
    """A copy of a mapping of headers with ours in it; None where nothing is to be added."""
    ours = headers_for(netloc)
    if not ours:
        return None
    copied = given.copy() if given else {}
    theirs = {str(name).lower() for name in copied}
    for name, text in ours.items():
        if name not in theirs:
            copied[name] = text
    return copied


def wrap_hop(original: Any) -> Any:
    """Makes the method of an httpx client that sends one request, given as its first argument."""

    @wraps(original)
    def _send_single_request(self: Any, request: Any) -> Any:
        # Asked at each send, so that it is one look-up where there is none: 5 functions less.
        if configuration.names_gateways is False:
            return original(self, request)
        added = add(request.headers, request.url.netloc.decode("latin-1")) if _gateways() else None
        if not added:
            return original(self, request)
        try:
            return original(self, request)
        finally:
            take_back(request.headers, added)

    return _send_single_request


def wrap_hop_async(original: Any) -> Any:
    """Makes its asynchronous twin."""

    @wraps(original)
    async def _send_single_request(self: Any, request: Any) -> Any:
        if configuration.names_gateways is False:
            return await original(self, request)
        added = add(request.headers, request.url.netloc.decode("latin-1")) if _gateways() else None
        if not added:
            return await original(self, request)
        try:
            return await original(self, request)
        finally:
            take_back(request.headers, added)

    return _send_single_request


def wrap_urlopen(original: Any) -> Any:
    """Makes `urlopen(self, method, url, body, headers, ...)` of a urllib3 pool."""

    @wraps(original)
    def urlopen(self: Any, *args: Any, **kwargs: Any) -> Any:
        if configuration.names_gateways is False or not _gateways():
            return original(self, *args, **kwargs)
        by_place = len(args) > _HEADERS_PLACE
        given = args[_HEADERS_PLACE] if by_place else kwargs.get("headers")
        # Without headers of the call's own the pool's are sent.
        headers = _with_ours(self.headers if given is None else given, f"{self.host}:{self.port}")
        if headers is None:
            return original(self, *args, **kwargs)
        if by_place:
            args = (*args[:_HEADERS_PLACE], headers, *args[_HEADERS_PLACE + 1 :])
        else:
            kwargs = {**kwargs, "headers": headers}
        return original(self, *args, **kwargs)

    return urlopen


_HEADERS_PLACE = 3
