"""What ASGI does not offer: dropping a connection, and seeing that the client has gone.

The transport is reached through uvicorn's request cycle, whose bound method `receive` is (read in
uvicorn 0.54, both HTTP implementations).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Protocol, cast

from starlette.types import Receive

_WATCH_SECONDS = 0.02
# A reset may overtake what was sent just before it; so long the client has to read that.
_READ_SECONDS = 0.01


class _Transport(Protocol):
    def is_closing(self) -> bool: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def get_extra_info(self, name: str) -> object: ...


def _transport(receive: Receive) -> _Transport:
    cycle = getattr(receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError(
            "The simulator must be served by uvicorn: it needs the connection of a request"
        )
    return cast("_Transport", transport)


def lost(receive: Receive) -> bool:
    """Say whether the client has closed the connection."""
    return _transport(receive).is_closing()


async def hang(receive: Receive, seconds: float) -> None:
    """Do nothing until the client has gone or `seconds` are over."""
    transport = _transport(receive)
    # Polled: ASGI's receive() would block until the client leaves, beyond any bound.
    for _ in range(max(1, round(seconds / _WATCH_SECONDS))):
        if transport.is_closing():
            return
        await asyncio.sleep(_WATCH_SECONDS)


async def drop(receive: Receive, *, hard: bool) -> None:
    """End the connection in mid-sentence: with a reset when `hard`, else with a plain end."""
    transport = _transport(receive)
    if not transport.is_closing():
        if hard:
            await asyncio.sleep(_READ_SECONDS)
            _reset_on_close(transport)
            transport.abort()
        else:
            transport.close()
    # Returning before the loss is noticed would make uvicorn complain of an unfinished answer.
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset_on_close(transport: _Transport) -> None:
    """Make the kernel send RST instead of FIN (SO_LINGER with time 0)."""
    peer = cast("socket.socket | None", transport.get_extra_info("socket"))
    if peer is None:
        return
    # A duplicate, because uvloop hands out a socket on which options cannot be set.
    with socket.socket(fileno=os.dup(peer.fileno())) as copy:
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
