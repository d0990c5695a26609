"""A small HTTP server that sends exactly the bytes that it is told to; counts its connections."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Answer:
    """One answer; `end` is well, reset, cut or a number of seconds of silence before the rest."""

    pieces: tuple[bytes, ...]
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    chunked: bool = True
    end: str = "well"
    wait: float = 0.0


class Server:
    """Serves on a free port of 127.0.0.1 while its `with` block runs; over TLS with a context."""

    def __init__(self, tls=None):
        self.answers: list[Answer] = []
        self.connections = 0
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        # A client that hangs up is no failure, and nothing to be printed by another thread.
        self._http.handle_error = lambda *_: None
        if tls is not None:
            # The handshake, which may take or fail, is for the thread of the connection.
            self._http.socket = tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

    def answer(self, *pieces, **options):
        """Adds an answer; the last one is given for ever."""
        self.answers.append(Answer(pieces, **options))

    def next(self):
        """The answer to give now."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _handler(server):  # noqa: C901 - a class of six short methods
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self):
            super().setup()
            server.connections += 1

        def log_message(self, *_):
            return

        def do_POST(self):
            server.bodies.append(self._body())
            server.headers.append({name.lower(): text for name, text in self.headers.items()})
            answer = server.next()
            try:
                self._send(answer)
            except OSError:
                self.close_connection = True

        # The names that the library looks for.
        do_GET = do_HEAD = do_OPTIONS = do_DELETE = do_POST  # noqa: N815

        def _body(self):
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def _send(self, answer):
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunked:
                self.send_header("transfer-encoding", "chunked")
            else:
                self.send_header("content-length", str(sum(map(len, answer.pieces))))
            self.end_headers()
            if self.command == "HEAD":
                return
            for number, piece in enumerate(answer.pieces):
                if number:
                    time.sleep(answer.wait)
                # An empty chunk would be the end.
                framed = answer.chunked and piece
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if framed else piece)
            self._end(answer)

        def _end(self, answer):
            if answer.end == "well":
                self.wfile.write(b"0\r\n\r\n" if answer.chunked else b"")
                return
            self.close_connection = True
            if answer.end == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.connection.close()

    return Handler
