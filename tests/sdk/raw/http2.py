"""A local HTTP/2 server without TLS, with one answer for everything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(body: bytes, content_type: str) -> Iterator[str]:
    """The base URL of a server that gives this answer to each request."""
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(listening, body, content_type), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        # The thread waits in accept, which closing alone does not end.
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(60)


def _serve(listening: socket.socket, body: bytes, content_type: str) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            _talk(connection, body, content_type)


def _talk(connection: socket.socket, body: bytes, content_type: str) -> None:
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import StreamEnded

    talk = H2Connection(H2Configuration(client_side=False))
    talk.initiate_connection()
    connection.sendall(talk.data_to_send())
    while data := connection.recv(65_536):
        for event in talk.receive_data(data):
            if isinstance(event, StreamEnded) and event.stream_id is not None:
                headers = [(":status", "200"), ("content-type", content_type)]
                talk.send_headers(event.stream_id, headers)
                talk.send_data(event.stream_id, body, end_stream=True)
        connection.sendall(talk.data_to_send())
