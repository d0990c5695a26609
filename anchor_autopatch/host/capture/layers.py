"""Which call is open here: how the layers above and below one provider call know of each other.

Apart from `calls`, because HTTP clients ask this at every send, in programs too that never call a
provider: it imports nothing.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.calls import Call

active: ContextVar[Call | None] = ContextVar("anchor_call", default=None)


def open_layer() -> Call | None:
    """The call that is open here.

    Tasks and callbacks inherit the context of calls that are over: those are passed.
    """
    layer = active.get()
    while layer is not None and layer.ended:
        layer = layer.parent
    return layer


def leave_context(token: Token[Call | None], variable: ContextVar[Call | None] = active) -> None:
    """Takes the mark of an open call off this context; for every `active.set`."""
    try:
        variable.reset(token)
    except ValueError:
        # Left in another context than it was entered in (a coroutine that was moved between
        # tasks, or closed by the garbage collector): the mark dies with the context that it was
        # set in.
        return
