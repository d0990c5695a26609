"""Which failures are one incident: a stable hash over what their causes share.

Shared by the process that tells of a failure first and by the job that groups them all, so that
both speak of the same incident. Pure.
"""

from __future__ import annotations

import re
from hashlib import sha256

from anchor_autopatch.core.conditions import SEVERITIES
from anchor_autopatch.core.records import ExceptionEvent

VERSION = "1"
"""Part of every fingerprint: another rule of grouping gives other incidents, never mixed ones."""

# Expected in the daily work of an application, or its own will: counted, never an incident.
COUNT_ONLY = frozenset(("client_cancelled", "content_filter", "context_length", "headers_refused"))

# What is down, not who noticed: one outage over ten applications is one incident. The codes of one
# outage differ from request to request (529 beside 503), so they are no part of it.
_OUTAGES = frozenset(
    (
        *("rate_limited", "quota_daily", "provider_overloaded", "provider_5xx"),
        *("timeout", "network", "partial_stream", "dependency_error"),
    )
)
# Somebody has to act at the provider, and the code says on what.
_ACCOUNT = frozenset(("billing_exhausted", "auth"))


def fingerprint(event: ExceptionEvent) -> str | None:
    """32 hex digits that events of one cause share; None for what is only counted."""
    if event.event_class in COUNT_ONLY:
        return None
    # The separator is a control character, which no field can hold: ("a", "bc") is not ("ab", "c").
    parts = (VERSION, event.event_class, *_cause(event))
    return sha256("\x1f".join(part or "" for part in parts).encode()).hexdigest()[:32]


def _cause(event: ExceptionEvent) -> tuple[str | None, ...]:
    kind = event.event_class
    if kind in _OUTAGES:
        return (event.provider, event.dependency)
    if kind in _ACCOUNT:
        return (event.provider, event.dependency, event.code)
    if kind == "model_gone":
        return (event.provider, event.dependency, event.request_model)
    if kind == "unpriced_model":
        # One price is missing, whoever uses the model: the event names an application only as long
        # as nobody else does, which must not make two incidents of one.
        return (event.provider, event.code, None, None, None)
    if kind in SEVERITIES:
        # Of whose money it is, whatever the figures in the message are.
        return (event.provider, event.code, event.team, event.service, event.environment)
    # A fault in an application is one of that application: who is part of what.
    own = (event.provider, event.dependency, event.code, event.exception_type, event.service)
    # The message only where nothing else says the place: its words change with the data in it.
    return (*own, event.call_site or template(event.message or ""))


_VARIABLE = re.compile(
    r"""
      https?://[^\s"'<>]{1,2000}
    | [\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b
    | \b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b
    | "[^"]{0,512}" | '[^']{0,512}'
    | (?<![\w/])/[\w.@-]{1,255}(?:/[\w.@-]{1,255}){1,32}/?
    | \b0x[0-9a-fA-F]{1,64}\b
    | \b(?=[0-9a-fA-F]{0,63}\d)[0-9a-fA-F]{8,64}\b
    | \d{1,64}(?:\.\d{1,64})?
    """,
    re.VERBOSE,
)


def template(message: str) -> str:
    """The message with `<x>` for what changes from one event to the next of the same cause.

    URLs, mail addresses, UUIDs, IPv4 addresses, quoted texts, paths, hexadecimal and decimal
    numbers.
    """
    return _VARIABLE.sub("<x>", message)
