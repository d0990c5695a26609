"""Exception events: one for each failure, told by the innermost provider exception, scrubbed before it is stored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from anchor_autopatch.core.failures import Failure, classify
from anchor_autopatch.core.records import Attribution, ExceptionEvent
from anchor_autopatch.core.scrub import scrub
from anchor_autopatch.host import ids, outbox

if TYPE_CHECKING:
    from anchor_autopatch.host.calls import Call

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
_CHAIN_LIMIT = 20
# Raised before a request left this machine: it cannot have been billed.
_NEVER_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "gaierror", "NewConnectionError", "ProxyError",
               "UnsupportedProtocol", "LocalProtocolError", "SSLError", "InvalidURL", "ConnectionRefusedError")  # fmt: skip
_UNKNOWN_FATE = frozenset(("timeout", "network", "client_cancelled", "partial_stream"))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what caused it, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _CHAIN_LIMIT:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )


def innermost(error: BaseException) -> BaseException:
    """The deepest exception of the chain that a provider SDK raised, else the error itself."""
    found = error
    for link in chain(error):
        if type(link).__module__.partition(".")[0] in _PROVIDER_ROOTS:
            found = link
    return found


def read(error: BaseException) -> Failure:
    """What the exception says, by duck typing: the SDKs share no base class."""
    cause = innermost(error)
    body = _error_body(cause)
    status = _integer(getattr(cause, "status_code", None)) or _integer(getattr(cause, "code", None))
    code = _word(body.get("code")) or _word(getattr(cause, "code", None))
    kind = (
        _word(body.get("type"))
        or _word(getattr(cause, "type", None))
        or _word(getattr(cause, "status", None))
    )
    message = body.get("message") or getattr(cause, "message", None) or str(cause)
    return Failure(
        type(cause).__name__, status, code or _word(body.get("status")), kind, scrub(str(message))
    )


def classify_error(error: BaseException, failure: Failure) -> str:
    """The class of a failure; the names of transport errors below the SDK's own count where it has no status."""
    found = classify(failure)
    if found != "bad_request" or failure.http_status is not None:
        return found
    # Some SDKs let an error of their HTTP library through, or wrap it in an error that says
    # nothing.
    for link in chain(error):
        found = classify(failure._replace(exception_type=type(link).__name__))
        if found != "bad_request":
            return found
    return found


def may_be_billed(error: BaseException, failure_class: str) -> bool:
    """True when the provider may have done the work although no answer came: a timeout, a reset, a cancellation."""
    if failure_class not in _UNKNOWN_FATE:
        return False
    names = {type(link).__name__ for link in chain(error)}
    return names.isdisjoint(_NEVER_SENT)


def record(call: Call, failure: Failure, failure_class: str, receipt_id: str | None) -> None:
    """Leaves one exception event for a failed call."""
    site = call.site
    outbox.write_event(
        _event(
            failure_class,
            failure,
            call.attribution,
            provider=call.provider,
            dependency=site.host if site else None,
            call=call,
            receipt_id=receipt_id,
        )
    )


def record_internal(target: str, where: str, fault: Exception, *, switched_off: bool) -> None:
    """Leaves an event about a fault of this library itself; a fault in doing so is dropped."""
    text = f"{where}: {fault}" + (
        "; capture of this SDK is off in this process now" if switched_off else ""
    )
    failure = Failure(type(fault).__name__, None, None, None, scrub(text))
    try:
        outbox.write_event(
            _event("internal", failure, Attribution(), provider=None, dependency=target)
        )
    except Exception:  # noqa: BLE001 - the last resort: the outbox itself is at fault, its own counters tell
        return


def _event(
    event_class: str,
    failure: Failure,
    attribution: Attribution,
    *,
    provider: str | None,
    dependency: str | None,
    call: Call | None = None,
    receipt_id: str | None = None,
) -> ExceptionEvent:
    return ExceptionEvent(
        ids.uuid7(),
        time.time_ns() // 1000,
        event_class,
        provider,
        dependency,
        failure.http_status,
        failure.code,
        failure.exception_type,
        failure.message,
        call.sdk if call else None,
        call.operation if call else None,
        call.request_model if call else None,
        call.attempts if call else None,
        receipt_id,
        *attribution,
    )


def _error_body(error: BaseException) -> dict[str, object]:
    """The provider's error object: openai unwraps `error`, anthropic and genai do not."""
    for name in ("body", "details"):
        body = getattr(error, name, None)
        if isinstance(body, dict):
            inner = body.get("error", body)
            if isinstance(inner, dict):
                return inner
    return {}


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and 100 <= value <= 599 else None


def _word(value: object) -> str | None:
    return scrub(value, 128) if isinstance(value, str) and value else None
