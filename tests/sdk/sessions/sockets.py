"""A WebSocket server that plays one scene: what it says, and what it waits to hear in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.server import ServerConnection, serve

HEAR = object()
"""In a scene: waits for one message of the client's."""
HANG_UP = object()
"""In a scene: closes the connection with an error."""


@contextmanager
def playing(*scene: Any) -> Iterator[str]:
    """The address (http://host:port) of a server that plays the scene on each connection."""

    def handle(connection: ServerConnection) -> None:
        for part in scene:
            if part is HEAR:
                connection.recv()
            elif part is HANG_UP:
                connection.close(1011, "gone")
                return
            else:
                connection.send(json.dumps(part))
        for _ in connection:
            pass

    with serve(handle, "127.0.0.1", 0, close_timeout=0.5) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
    thread.join(60)
