"""Objects that a provider works on after the request (batches, runs, background responses, videos).

Each is billed once, when it ends, whoever asks for it and however often. In one process that is
decided here; across processes the job decides, by (provider, response id), from three price facts:
`retrieved` stands on a row that came from a retrieval, `unfinished` on one whose object goes on (a
submission, which is not billable and says who will be billed), and `batch_id` on an answer that
has an id of its own and was submitted under another one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from anchor_autopatch.core.hosts import BY_MODEL
from anchor_autopatch.core.records import Attribution
from anchor_autopatch.host.capture import identity
from anchor_autopatch.host.capture.calls import NOTHING, Call, Seen
from anchor_autopatch.host.capture.streams import Reader

_LIMIT = 4_096
_Key = tuple[str, str]

ENDED = frozenset(
    (
        "cancelled",
        "canceled",
        "completed",
        "done",
        "ended",
        "expired",
        "failed",
        "incomplete",
        "succeeded",
    )
)
"""States in which nothing more is added to an object's usage."""
_FREE_ENDS = frozenset(("cancelled", "canceled", "expired", "failed"))
"""Of these, the states that cost nothing where no usage is told."""


class Object(NamedTuple):
    """One such object as an answer describes it."""

    id: str
    ended: bool
    seen: Seen
    status: str | None = None
    """The provider's word for its state."""
    batch_id: str | None = None
    """The batch whose answer it is: that was submitted, under an id of its own."""
    untold: bool = False
    """True for one that has ended well and whose usage its provider never tells here.

    It is billed all the same: its receipt says that nothing is known.
    """

    @property
    def tells(self) -> bool:
        """Whether it says what there is to bill, or that nobody will."""
        units = self.seen.facts or ()
        counted = "video_seconds" in units or "videos" in units
        return self.seen.raw_usage is not None or counted or self.untold

    @property
    def is_free(self) -> bool:
        """Whether it came to an end that costs nothing."""
        return not self.tells and self.status is not None and self.status.lower() in _FREE_ENDS


class Request:
    """Marks a call whose answer describes objects; stands in `call.reader`.

    Args:
        operation: What the objects are, as on the receipt.
        path: The URL path, which may name the object.
        retrieved: False for the request that submits it.
    """

    __slots__ = ("operation", "path", "retrieved")

    def __init__(self, operation: str, path: str, *, retrieved: bool) -> None:
        self.operation = operation
        self.path = path
        self.retrieved = retrieved


_submitted: OrderedDict[_Key, Attribution] = OrderedDict()
_settled: OrderedDict[_Key, None] = OrderedDict()


def settle(call: Call, found: Object, result: object, *, retrieved: bool) -> None:
    """Ends a call by what its answer says of an object: with a row, billable or not, or none."""
    _place(call, found.seen.model)
    if found.is_free or (found.ended and found.tells):
        if not _first_end(call, found.id):
            call.leave_to_children()
            return
        _decide(call, found.id, found.batch_id, retrieved=retrieved)
        # A failure costs nothing, and is told so that nobody waits for the object any longer.
        call.billable = call.billable and not found.is_free
        call.succeed(found.seen._replace(response_id=found.id), result)
    elif not retrieved:
        _remember(_submitted, (call.provider, found.id), call.attribution)
        call.billable = False
        _state(call, "unfinished")
        call.succeed(Seen(model=found.seen.model, response_id=found.id, facts=found.seen.facts))
    else:
        call.leave_to_children()


def each(call: Call, request: Request, found: list[Object]) -> None:
    """Settles every object of one answer; each gets a row of its own."""
    # At first: the rows are no layers below this call.
    call.leave_to_children()
    for one in found:
        part = Call(call.target, request.operation, call.request_model, call.site, stream=False)
        part.attribution = call.attribution
        part.occurred_at_us = call.occurred_at_us
        part.http_status = call.http_status
        part.facts = call.facts
        settle(part, one, None, retrieved=request.retrieved)


class ListReader:
    """Reads a stream whose items each describe objects: the results of a batch, line by line."""

    def __init__(
        self, call: Call, request: Request, read: Callable[[Request, Any], list[Object]]
    ) -> None:
        self._call = call
        self._request = request
        self._read = read
        self.begun = False

    def feed(self, chunk: Any) -> bool:
        """Settles what the item describes."""
        self.begun = True
        each(self._call, self._request, self._read(self._request, chunk))
        return False

    def seen(self) -> Seen:
        """Nothing: every item has a row of its own."""
        return NOTHING

    def complete(self) -> bool:
        """True: nothing is awaited."""
        return True


class SettlingReader:
    """Reads a stream of an object: its end counts once, like that of any other retrieval."""

    def __init__(self, call: Call, reader: Reader, *, retrieved: bool) -> None:
        self._call = call
        self._reader = reader
        self._retrieved = retrieved
        self._decided = False
        self.begun = False

    def feed(self, chunk: Any) -> bool:
        """Hands the chunk on."""
        self.begun = True
        return self._reader.feed(chunk)

    def seen(self) -> Seen:
        """What the stream told; decides who is billed for it."""
        seen = self._reader.seen()
        if not self._decided:
            self._decided = True
            self._decide(seen)
        return seen

    def _decide(self, seen: Seen) -> None:
        call, object_id = self._call, seen.response_id
        ended = self._reader.complete()
        if object_id is None and not self._retrieved:
            # It cannot be found again: what it costs stays with this call, unknown.
            return
        if ended and object_id is not None and _first_end(call, object_id):
            _decide(call, object_id, None, retrieved=self._retrieved)
            return
        # The object goes on without this stream, or has been billed.
        call.billable = False
        if self._retrieved:
            _state(call, "retrieved")
        if ended or object_id is None:
            return
        _state(call, "unfinished")
        if not self._retrieved:
            _remember(_submitted, (call.provider, object_id), call.attribution)

    def complete(self) -> bool:
        """True when the final usage has arrived."""
        return self._reader.complete()


def _first_end(call: Call, object_id: str) -> bool:
    key = (call.provider, object_id)
    if key in _settled:
        return False
    _remember(_settled, key, None)
    return True


def _decide(call: Call, object_id: str, batch_id: str | None, *, retrieved: bool) -> None:
    if batch_id is None:
        submitter = _submitted.pop((call.provider, object_id), None)
    else:
        # The other answers of the batch belong to him, too.
        submitter = _submitted.get((call.provider, batch_id))
        _state(call, "batch_id", batch_id)
    if submitter is not None:
        call.attribution = submitter
    elif identity.receipt_of_response_id(object_id, call.provider) is not None:
        # Its own call was billed when it was made.
        call.billable = False
    if retrieved:
        _state(call, "retrieved")


def _state(call: Call, fact: str, value: object = True) -> None:
    call.facts = {**(call.facts or {}), fact: value}


def _place(call: Call, model: str | None) -> None:
    """Names who invoices behind a gateway, where only the answer of a retrieval names the model."""
    if call.site is not None and call.site.provider == BY_MODEL:
        call.provider = call.site.provider_for(model or call.request_model)


def _remember(memory: OrderedDict[_Key, Any], key: _Key, value: Any) -> None:
    memory[key] = value
    if len(memory) > _LIMIT:
        memory.popitem(last=False)
