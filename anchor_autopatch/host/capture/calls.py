"""One logical provider call: begun at an SDK's choke point, finished once, written as one receipt.

A context variable holds the call that is open here, so that layers know of each other: the
innermost observer writes the receipt, the outermost one's attribution goes on it, and layers in
between add only their name.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from anchor_autopatch.core.hosts import BY_MODEL
from anchor_autopatch.core.outbox_format import INSERT_RECEIPT
from anchor_autopatch.host import callsite, configuration, failures
from anchor_autopatch.host.attribution import resolving
from anchor_autopatch.host.capture import identity
from anchor_autopatch.host.capture.layers import active, leave_context, open_layer
from anchor_autopatch.host.capture.sites import Site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.storage import outbox

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.attempts import Lost


class Seen(NamedTuple):
    """What a reader took from an answer: usage verbatim and price facts, never content."""

    raw_usage: str | None = None
    shape: str | None = None
    model: str | None = None
    response_id: str | None = None
    facts: dict[str, object] | None = None
    source: str = "provider"
    """provider | partial | estimated; `absent` follows from there being neither usage nor units."""


NOTHING = Seen()
# One encoder for all calls: json.dumps with separators builds a new one every time (10 us).
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode
_FACTS_LIMIT = 256
_facts_texts: dict[tuple[str, str], str] = {}


_process = object()
"""Another one in every forked child: the calls that it inherits are its parent's to finish."""


def _after_fork_in_child() -> None:
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class Call:
    """The state of one open call; lives only as long as the call and its stream do."""

    __slots__ = (
        "_done",
        "_process",
        "_started_ns",
        "answer",
        "attempts",
        "attribution",
        "billable",
        "children",
        "facts",
        "failed_children",
        "handling",
        "http_status",
        "injected",
        "last_receipt_id",
        "lost",
        "occurred_at_us",
        "operation",
        "parent",
        "provider",
        "provider_request_id",
        "reader",
        "receipt_id",
        "request",
        "request_model",
        "sdk",
        "sends",
        "site",
        "stream",
        "target",
    )

    def __init__(
        self, target: str, operation: str, model: str | None, site: Site | None, *, stream: bool
    ) -> None:
        parent = active.get()
        if parent is not None and parent.ended:
            parent = open_layer()
        self.target = target
        self.parent = parent
        self.operation = operation
        self.request_model = model
        self.site = site
        if site is None:
            self.provider = "unmapped"
        else:
            known = site.provider
            self.provider = known if known != BY_MODEL else site.provider_for(model)
        self.stream = stream
        self.billable = True
        self.facts: dict[str, object] | None = None
        self.reader: Any = None
        self.injected = 0
        self.request: Any = None
        """What a stream was asked with, until it ends: its size is told where its usage is not."""
        self.answer: Any = None
        """The HTTP response of a plain call, until the SDK has made its result of it."""
        self.http_status: int | None = None
        self.attempts: int | None = None
        self.sends = 0
        """HTTP requests that a client library sent while this call was open, where anybody asks
        for them; see `clients.raw`."""
        self.provider_request_id: str | None = None
        self.children = 0
        self.failed_children = 0
        self.last_receipt_id: str | None = None
        self.lost: Lost | None = None
        """The request that brought no answer, until another one is sent; see `attempts`."""
        self.receipt_id: str | None = None
        """Given before the receipt is written where an earlier request may have been billed."""
        self._done = False
        self._process = _process
        if parent is None:
            self.sdk = target
            self.attribution = resolving.at_call(callsite.find(), site)
        else:
            self.sdk = f"{parent.sdk}>{target}"
            self.attribution = resolving.below(parent.attribution, site)
        self.occurred_at_us = time_ns() // 1000
        self.handling = id(sys.exception())
        """What the application was handling when it made the call is no cause of its failure."""
        self._started_ns = perf_counter_ns()

    def adopted(self) -> None:
        """Tells the layers above to write no receipt: this call observes the provider."""
        layer = self.parent
        while layer is not None:
            layer.children += 1
            layer = layer.parent

    def leave_to_children(self) -> None:
        """Ends a call whose receipts are those of the layers below.

        What starts later is no part of it.
        """
        self._done = True

    @property
    def ended(self) -> bool:
        """True when nothing more is written for this call, here at least."""
        return self._done or self._process is not _process

    def succeed(self, seen: Seen | None, result: object = None) -> None:
        """Writes the receipt of a call whose answer (or whole stream) has been read."""
        self._finish("ok", seen or NOTHING, result)

    def cut_short(self, seen: Seen | None) -> None:
        """Writes the receipt of a stream that the application left before its end."""
        self._finish("partial", seen or NOTHING, None)

    def fail(
        self,
        error: BaseException,
        seen: Seen | None = None,
        *,
        begun: bool = False,
        answered: bool = False,
    ) -> None:
        """Leaves an exception event, and a receipt where the provider may have billed the call.

        Args:
            error: What the SDK raised.
            seen: What was read of a stream before it broke.
            begun: True when a part of the answer had arrived.
            answered: True when the whole answer had arrived and could not be used: it is billed
                all the same.
        """
        if self.ended:
            return
        if self.failed_children and not self.children:
            # An inner layer has told this failure already.
            self._done = True
            return
        failure = failures.read(error, self.handling)
        failure_class = failures.classify_error(error, failure, self.handling)
        if begun and failure_class != "client_cancelled":
            failure_class = "partial_stream"
        outcome = (
            "cancelled" if failure_class == "client_cancelled" else "partial" if begun else "error"
        )
        self.http_status = self.http_status or failure.http_status
        receipt_id = None
        if self.billable and (
            begun
            or answered
            or self.receipt_id is not None
            or failures.may_be_billed(error, failure_class, failure.http_status, self.handling)
        ):
            receipt_id = self._finish(outcome, seen or NOTHING, None)
        self._done = True
        self._tell_parents_of_failure()
        if failure_class != "client_cancelled":
            failures.record(self, failure, failure_class, receipt_id)

    def _tell_parents_of_failure(self) -> None:
        layer = self.parent
        while layer is not None:
            layer.failed_children += 1
            layer = layer.parent

    def _finish(self, outcome: str, seen: Seen, result: object) -> str | None:
        # From here on every call passes, among caches that are full of the SDK's work: functions
        # are called where they have something to do, not for a default.
        if self._done or self._process is not _process:
            return None
        self._done = True
        writer = outbox.own_writer()
        receipt_id = self.receipt_id or writer.ids.new()
        writer.append(INSERT_RECEIPT, self._receipt(receipt_id, outcome, seen))
        if configuration.notes_spans:
            from anchor_autopatch.host.attribution import spans

            spans.note(self, seen, receipt_id)
        identity.remember_answer(result, self.provider, seen.response_id, receipt_id)
        layer = self.parent
        while layer is not None:
            layer.last_receipt_id = receipt_id
            layer = layer.parent
        return receipt_id

    def _receipt(self, receipt_id: str, outcome: str, seen: Seen) -> tuple[object, ...]:
        """The fields of a `Receipt` in its order."""
        who = self.attribution
        site = self.site
        facts = _merged(self.facts, seen.facts) if self.facts else seen.facts
        # A plain tuple: it is a row already, and what `Receipt` would make of it costs 0.5 us.
        return (
            receipt_id,
            self.occurred_at_us,
            (perf_counter_ns() - self._started_ns) // 1000,
            *who,
            self.provider,
            site.host if site else None,
            site.api_key_id if site else None,
            self.sdk,
            self.operation,
            self.request_model,
            seen.model,
            seen.response_id,
            self.provider_request_id,
            outcome,
            self.http_status,
            1 if self.stream else 0,
            self.attempts,
            seen.source if seen.raw_usage is not None else _usage_source(seen, facts),
            seen.shape,
            seen.raw_usage,
            _facts_text(facts) if facts else None,
            1 if self.billable else 0,
            None,
        )


EVIDENCE = ("sent_characters", "seen_characters", "seen_chunks")
"""Price facts that say how large a call was whose usage nobody told; see `evidence`."""
_UNITS = (
    "characters",
    "duration",
    "file_searches",
    "images",
    "output_seconds",
    "pages",
    "searches",
    "seconds",
    "sessions",
    "video_seconds",
)
"""Price facts that are quantities: what is billed where there is no usage object."""


def _usage_source(seen: Seen, facts: dict[str, object] | None) -> str:
    if seen.raw_usage is not None:
        return seen.source
    if seen.facts is not None and any(name in seen.facts for name in EVIDENCE):
        return "estimated"
    if facts is None or not any(unit in facts for unit in _UNITS):
        return "absent"
    # Counted in the answer, or else only in what was asked for.
    return "provider" if seen.facts and any(unit in seen.facts for unit in _UNITS) else "estimated"


def _facts_text(facts: dict[str, object]) -> str:
    if len(facts) > 1:
        return _encode(facts)
    # Mostly the service tier alone, which has a handful of values: 0.3 us instead of 1.1.
    ((name, value),) = facts.items()
    if not isinstance(value, str):
        return _encode(facts)
    text = _facts_texts.get((name, value))
    if text is None:
        if len(_facts_texts) >= _FACTS_LIMIT:
            _facts_texts.clear()
        text = _facts_texts[(name, value)] = _encode(facts)
    return text


def _merged(
    first: dict[str, object] | None, second: dict[str, object] | None
) -> dict[str, object] | None:
    if first and second:
        return {**first, **second}
    return first or second


@guarded()
def enforce(call: Call) -> None:
    """Raises AttributionRequired where the policy refuses this call, which is not sent yet.

    To be asked at every way in, outside of what handles the SDK's own errors.
    """
    # The outermost layer alone: below it an SDK could take the refusal for a failure of its own.
    if call.parent is None and configuration.may_refuse():
        from anchor_autopatch.host.attribution import enforcing

        enforcing.refuse(call)


class Adapter(Protocol):
    """What an SDK family tells `wrap` about its choke point.

    Every method is guarded by its family.
    """

    def open(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Opened | None:
        """The call that begins here with its (perhaps copied) arguments.

        None when it is none of ours.
        """

    def close(self, call: Call, result: Any) -> None:
        """Reads the answer, or arranges for its stream to be watched."""

    def refused_injection(self, call: Call, error: BaseException) -> bool | None:
        """True when only our own addition to the request can have caused this error."""

    def fail(self, call: Call, error: BaseException) -> None:
        """Records the failure."""


class Opened(NamedTuple):
    """A begun call, and the arguments with which the SDK's function is run."""

    call: Call
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def wrap(adapter: Adapter) -> Callable[[Any], Any]:
    """Makes a plain synchronous function around an SDK's choke point."""

    def make(original: Any) -> Any:
        @wraps(original)
        def request(self: Any, *args: Any, **kwargs: Any) -> Any:
            opened = adapter.open(self, args, kwargs)
            if opened is None:
                return original(self, *args, **kwargs)
            call = opened.call
            if configuration.refuses is not False:
                enforce(call)
            token = active.set(call)
            try:
                result = original(self, *opened.args, **opened.kwargs)
            except BaseException as error:
                if not adapter.refused_injection(call, error):
                    adapter.fail(call, error)
                    raise
            else:
                adapter.close(call, result)
                return result
            finally:
                leave_context(token)
            # Outside the handler, so that an error of the second try has no trace of the first.
            return request(self, *args, **kwargs)

        return request

    return make


def wrap_async(adapter: Adapter) -> Callable[[Any], Any]:
    """Makes a plain coroutine function around an SDK's asynchronous choke point."""

    def make(original: Any) -> Any:
        @wraps(original)
        async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
            opened = adapter.open(self, args, kwargs)
            if opened is None:
                return await original(self, *args, **kwargs)
            call = opened.call
            if configuration.refuses is not False:
                enforce(call)
            token = active.set(call)
            try:
                result = await original(self, *opened.args, **opened.kwargs)
            except BaseException as error:
                if not adapter.refused_injection(call, error):
                    adapter.fail(call, error)
                    raise
            else:
                adapter.close(call, result)
                return result
            finally:
                leave_context(token)
            return await request(self, *args, **kwargs)

        return request

    return make
