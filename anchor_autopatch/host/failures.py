"""Exception events.

One for each failure, told by the innermost provider exception, scrubbed before it is stored.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.failures import (
    APP_ERROR,
    HEADERS_REFUSED,
    Failure,
    classify,
    without_model,
)
from anchor_autopatch.core.records import Attribution, ExceptionEvent
from anchor_autopatch.core.scrub import scrub
from anchor_autopatch.host import events, ids
from anchor_autopatch.host.attribution import resolving
from anchor_autopatch.host.capture import rpc_failures
from anchor_autopatch.host.dependencies import seen

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.calls import Call

# Roots of the modules whose exceptions speak for a provider; what lies deeper in the cause chain is
# transport.
_PROVIDER_ROOTS = frozenset(
    (
        "openai",
        "anthropic",
        "google",
        "groq",
        "mistralai",
        "cohere",
        "xai_sdk",
        "botocore",
        "litellm",
    )
)
_TRANSPORT_ROOTS = frozenset(
    ("aiohttp", "h11", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "ssl", "urllib3")
)
_SPEAKING_ROOTS = _PROVIDER_ROOTS | _TRANSPORT_ROOTS | frozenset(("websockets",))
# google-genai: "Raw response: ..."; LiteLLM: "Original Response: ...", "invalid response=...".
_QUOTED_ANSWER = re.compile(r"(?is)\b((?:raw|original|invalid|received)[ _]response)\b.*")
# LiteLLM puts one behind its message: paths and source lines of the application's machine.
_TRACEBACK = "Traceback (most recent call last)"
_CHAIN_LIMIT = 20
_HTTP_STATUSES = range(100, 600)
# Raised before a request left this machine: it cannot have been billed. One set for the SDKs and
# for the HTTP clients below them; a timeout here is one of connecting, never of waiting.
_NEVER_SENT = frozenset(
    (
        "ClientConnectorDNSError",
        "ClientConnectorError",
        "ClosedPoolError",
        "ConnectError",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "ConnectionRefusedError",
        "ConnectionTimeoutError",
        "EmptyPoolError",
        "EndpointConnectionError",
        "InvalidSchema",
        "InvalidURL",
        "LocalProtocolError",
        "LocationParseError",
        "LocationValueError",
        "MissingSchema",
        "NameResolutionError",
        "NewConnectionError",
        "PoolTimeout",
        "ProxyConnectionError",
        "ProxyError",
        "SSLError",
        "UnsupportedProtocol",
        "gaierror",
    )
)
_LOST = ("ReadTimeout", "ReadError", "RemoteProtocolError", "ServerDisconnectedError")
_FIRST_ERROR_STATUS = 400
_UNKNOWN_FATE = frozenset(("timeout", "network", "client_cancelled", "partial_stream"))


def chain(error: BaseException, handling: int = 0) -> Iterator[BaseException]:
    """The exception and what caused it, outermost first.

    Args:
        error: What the SDK raised.
        handling: `id` of the exception that the application was handling when the call began: it
            is the context of this one (a fallback in an `except` block) but no cause of it.
    """
    seen: set[int] = {handling}
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _CHAIN_LIMIT:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )


def innermost(error: BaseException, handling: int = 0) -> BaseException:
    """The deepest exception of the chain that a provider SDK raised, else the error itself."""
    found = error
    for link in chain(error, handling):
        if _root(link) in _PROVIDER_ROOTS:
            found = link
    return found


def read(error: BaseException, handling: int = 0) -> Failure:
    """What the exception says, by duck typing: the SDKs share no base class."""
    # What the application says about it later is about this failure. Outermost last: of Python's
    # own exceptions only the last one is known.
    for link in reversed(tuple(chain(error, handling))):
        seen.remember(link)
    cause = innermost(error, handling)
    if rpc_failures.is_rpc_error(cause):
        return rpc_failures.read(cause)
    body = _error_body(cause)
    status = (
        _integer(getattr(cause, "status_code", None))
        or _integer(_code(cause))
        or _integer(getattr(getattr(cause, "response", None), "status_code", None))
        or _integer(_botocore(cause).get("ResponseMetadata", {}).get("HTTPStatusCode"))
    )
    if status is not None and _is_lost_below_litellm(error, cause, handling):
        # A connection that was lost has a status of LiteLLM's own invention.
        status = None
    code = _detail(body) or _word(body.get("code")) or _word(_code(cause))
    kind = (
        _word(body.get("type"))
        or _word(getattr(cause, "type", None))
        or _word(getattr(cause, "status", None))
    )
    message = body.get("message") or _own_words(cause)
    return Failure(
        type(cause).__name__, status, code or _word(body.get("status")), kind, scrub(str(message))
    )


def _is_lost_below_litellm(error: BaseException, cause: BaseException, handling: int) -> bool:
    if _root(cause) != "litellm":
        return False
    below = [link for link in chain(error, handling) if _root(link) in _TRANSPORT_ROOTS]
    # One that has a response was answered.
    return bool(below) and all(getattr(link, "response", None) is None for link in below)


def _root(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def classify_error(error: BaseException, failure: Failure, handling: int = 0) -> str:
    """The class of a failure.

    The names of transport errors below the SDK's own count where it has no status.
    """
    if not isinstance(error, Exception):
        # Cancellation, KeyboardInterrupt, SystemExit, GeneratorExit: the application's own will.
        return "client_cancelled"
    found = classify(failure)
    if found != "bad_request" or failure.http_status is not None:
        return found
    # Some SDKs let an error of their HTTP library through, or wrap it in an error that says
    # nothing.
    for link in chain(error, handling):
        found = classify(failure._replace(exception_type=type(link).__name__))
        if found != "bad_request":
            return found
    return found


def may_be_billed(
    error: BaseException, failure_class: str, status: int | None, handling: int = 0
) -> bool:
    """True when the provider may have done the work although no answer came.

    A timeout, a reset, a cancellation; not an answer that only speaks of one (408, 504).
    """
    if failure_class not in _UNKNOWN_FATE:
        return False
    names = {type(link).__name__ for link in chain(error, handling)}
    if not names.isdisjoint(_NEVER_SENT) or rpc_failures.never_sent(error):
        return False
    # LiteLLM gives a status of its own invention to a connection that was lost.
    return status is None or status < _FIRST_ERROR_STATUS or not names.isdisjoint(_LOST)


def record(
    call: Call,
    failure: Failure,
    failure_class: str,
    receipt_id: str | None,
    *,
    retried: bool = False,
) -> None:
    """Leaves one exception event for a failed call, or for a request of it that was sent again."""
    site = call.site
    if call.request_model is None:
        failure_class = without_model(failure_class, failure)
    where = _Where(
        call.provider,
        site.host if site else None,
        call.sdk,
        call.operation,
        call.request_model,
        call.attempts,
        int(retried),
        receipt_id,
    )
    events.leave(_event(failure_class, failure, where, call.attribution))


def record_internal(target: str, where: str, fault: Exception, *, switched_off: bool) -> None:
    """Leaves an event about a fault of this library itself; a fault in doing so is dropped."""
    text = f"{where}: {_printed(fault)}" + (
        "; capture of this SDK is off in this process now" if switched_off else ""
    )
    failure = Failure(type(fault).__name__, None, None, None, scrub(text))
    try:
        events.leave(_event("internal", failure, _Where(dependency=target), Attribution()))
    except Exception:  # noqa: BLE001 - the last resort: the outbox itself is at fault, its own counters tell
        return


def record_refused_headers(reason: str, count: int, text: str, who: Attribution) -> None:
    """Leaves an event about inbound headers that were not believed; `count` since the last one."""
    failure = Failure("InboundHeaders", None, reason, None, text)
    events.leave(_event(HEADERS_REFUSED, failure, _Where(attempts=count), who))


def record_application_error(
    error: BaseException, logger: str | None, call_site: str | None
) -> None:
    """Leaves an event about an exception of the application's; `code` says which logger told it."""
    failure = read(error)._replace(exception_type=type(error).__name__, code=logger)
    _record_application(failure, call_site)


def record_application(level: str, logger: str, text: str | None, call_site: str) -> None:
    """Leaves an event about an error that the application logged; no text where it is not its own.

    Args:
        level: Name of the level.
        logger: Name of the logger.
        text: What stands in the source; None when the text was made at run time.
        call_site: `module:function` that logged.
    """
    message = scrub(text) if text is not None else "(text left out: it may quote a prompt)"
    _record_application(Failure(level, None, scrub(logger, 128), None, message), call_site)


def _record_application(failure: Failure, call_site: str | None) -> None:
    who = resolving.without_call()._replace(call_site=call_site)
    events.leave(_event(APP_ERROR, failure, _Where(), who))


def unwritable_event(reason: str, dropped: int, waiting: int) -> ExceptionEvent:
    """The event about a time in which no outbox could be written; `attempts` counts lost rows."""
    text = f"{dropped} rows were lost and {waiting} waited in memory: {scrub(reason)}"
    failure = Failure("OutboxUnwritable", None, "rows_lost" if dropped else None, None, text)
    return _event("internal", failure, _Where(dependency="outbox", attempts=dropped), Attribution())


class _Where(NamedTuple):
    """The middle of an event: which call of which dependency failed."""

    provider: str | None = None
    dependency: str | None = None
    sdk: str | None = None
    operation: str | None = None
    request_model: str | None = None
    attempts: int | None = None
    retried: int = 0
    receipt_id: str | None = None


def _event(
    event_class: str, failure: Failure, where: _Where, attribution: Attribution
) -> ExceptionEvent:
    return ExceptionEvent(
        ids.uuid7(),
        time.time_ns() // 1000,
        event_class,
        where.provider,
        where.dependency,
        failure.http_status,
        failure.code,
        failure.exception_type,
        failure.message,
        *where[2:],
        *attribution,
    )


def _code(error: BaseException) -> object:
    # These two warn whoever reads it that it is deprecated: the application would hear of it.
    if type(error).__module__.partition(".")[0] in ("aiohttp", "websockets"):
        return None
    return getattr(error, "code", None)


def _printed(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be printed is told by its name
        return f"{type(error).__name__} (it cannot be printed)"


def _own_words(error: BaseException) -> str:
    """What an exception says about itself, where that can hold no prompt and no completion."""
    if type(error).__module__.partition(".")[0] not in _SPEAKING_ROOTS and not isinstance(
        error, OSError
    ):
        # A validation error quotes the answer, an exception of the application's whatever it likes.
        return f"{type(error).__name__} (text left out: it may quote the answer)"
    message = getattr(error, "message", None) or _printed(error)
    said = _QUOTED_ANSWER.sub(r"\1 [left out]", str(message))
    return said.partition(_TRACEBACK)[0].rstrip() or said


def _error_body(error: BaseException) -> dict[str, object]:
    """The provider's error object: openai unwraps `error`, anthropic and genai do not."""
    for name in ("body", "details"):
        body = getattr(error, name, None)
        if isinstance(body, dict):
            inner = body.get("error", body)
            if isinstance(inner, dict):
                return inner
    told = _botocore(error).get("Error")
    return {"code": told.get("Code"), "message": told.get("Message")} if told else {}


def _botocore(error: BaseException) -> dict[str, dict[str, object]]:
    """What botocore's errors carry as their response: Error and ResponseMetadata."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return {}
    return {name: part for name, part in response.items() if isinstance(part, dict)}


def _detail(body: dict[str, object]) -> str | None:
    """The finer code that stands in the details: Anthropic's `error_code`, Google's quota id."""
    details = body.get("details")
    if isinstance(details, dict):
        return _word(details.get("error_code"))
    if not isinstance(details, list):
        return None
    parts = [part for part in details if isinstance(part, dict)]
    violations = [each for part in parts for each in _list(part, "violations")]
    return next((_word(v.get("quotaId")) for v in violations if isinstance(v, dict)), None)


def _list(value: dict[str, object], name: str) -> list[object]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and value in _HTTP_STATUSES else None


def _word(value: object) -> str | None:
    return scrub(value, 128) if isinstance(value, str) and value else None
