"""Sessions over one connection, in which each turn is billed by itself.

A session leaves a row that is not billable when it is opened; each of its turns leaves a receipt
that names that row as its parent. Turns that are open when the connection ends are receipts too:
what was generated of them is billed, and nobody tells how much that was.
"""

from __future__ import annotations

import atexit
from typing import Any

from anchor_autopatch.core.records import Receipt
from anchor_autopatch.host import configuration, context
from anchor_autopatch.host.capture.calls import NOTHING, Call, Seen, enforce
from anchor_autopatch.host.capture.identity import ObjectMemo
from anchor_autopatch.host.capture.sites import Site
from anchor_autopatch.host.patching import guarded


class SessionError(Exception):
    """A failure that a session tells in an event; the SDK raises nothing for it.

    Args:
        body: The provider's error object.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.body = body


class _Part(Call):
    """A call that belongs to a session, or is its opening."""

    __slots__ = ("parent_receipt_id", "receipt_id")

    def __init__(
        self, session: Session, operation: str, model: str | None, parent_receipt_id: str | None
    ) -> None:
        super().__init__(session.sdk, operation, model, session.site, stream=True)
        self.parent_receipt_id = parent_receipt_id
        self.receipt_id: str | None = None

    def _receipt(self, receipt_id: str, outcome: str, seen: Seen) -> Receipt:
        self.receipt_id = receipt_id
        row = Receipt._make(super()._receipt(receipt_id, outcome, seen))
        return row._replace(parent_receipt_id=self.parent_receipt_id)


class Session:
    """One open connection and the turns that are open in it.

    Args:
        sdk: The SDK's name on the receipts.
        operation: What a turn is; the session's own row has `_session` behind it.
        model: The model that the session was opened for, where that is known.
        site: Where it was opened.
    """

    def __init__(self, sdk: str, operation: str, model: str | None, site: Site | None) -> None:
        self.sdk = sdk
        self.operation = operation
        self.model = model
        self.site = site
        self.id: str | None = None
        """The provider's, where it tells one."""
        self.beside = False
        """True for a connection that only listens to a session which another one holds."""
        self.transcriber: str | None = None
        """The model that transcribes what the user says, where one does."""
        self.told = False
        """True when the usage of a turn that goes on has been told."""
        self.turns: dict[str, Call] = {}
        opening = _Part(self, f"{operation}_session", model, None)
        opening.billable = False
        opening.succeed(NOTHING)
        self.attribution = opening.attribution
        self.receipt_id = opening.receipt_id

    def begin(self, key: str, operation: str | None = None, model: str | None = None) -> Call:
        """Opens a turn, or finds the open one of this key."""
        call = self.turns.get(key)
        if call is None:
            call = self.turns[key] = self._part(operation, model)
        return call

    def end(self, key: str, operation: str | None = None, model: str | None = None) -> Call:
        """The turn of this key, which the caller finishes now; a new one where none is open."""
        return self.turns.pop(key, None) or self._part(operation, model)

    def refused(self, error: BaseException) -> None:
        """Leaves an exception event of a failure that belongs to no turn."""
        call = self._part(None, None)
        call.billable = False
        call.fail(error)

    def cut(self, error: BaseException | None) -> None:
        """Ends the open turns; `error` is what broke the connection, None when it was closed."""
        while self.turns:
            _, call = self.turns.popitem()
            seen = call.reader.seen() if call.reader is not None else NOTHING
            if error is None:
                call.cut_short(seen)
            else:
                call.fail(error, seen, begun=True)

    def _part(self, operation: str | None, model: str | None) -> Call:
        call = _Part(self, operation or self.operation, model or self.model, self.receipt_id)
        if not context.is_bound():
            # Events are often read by a thread or a task that knows nothing of who opened it.
            call.attribution = self.attribution
        if self.beside:
            # Whoever holds the session may tell the same: the job bills it once.
            call.facts = {"retrieved": True}
        return call


def ask(sdk: str, operation: str, model: str | None, site: Site | None) -> None:
    """Lets the policy refuse a session before it is opened; raises AttributionRequired then."""
    if configuration.may_refuse():
        enforce(Call(sdk, f"{operation}_session", model, site, stream=True))


class Sessions(ObjectMemo[Session]):
    """The sessions of live connection objects; what dies or outlives the process is cut short."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._cut = guarded(target)(Session.cut)
        atexit.register(self._cut_all)

    def died(self, value: Session) -> None:
        """Ends the turns of a connection that nobody closed."""
        self._cut(value, None)

    def close(self, connection: object, error: BaseException | None = None) -> None:
        """Ends the open turns of a connection that was closed or lost."""
        session = self.get(connection)
        if session is not None:
            self._cut(session, error)

    def _cut_all(self) -> None:
        for session in self.pop_all():
            self._cut(session, None)
