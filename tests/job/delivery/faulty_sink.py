"""A receiver of alerts on the loopback that does what a test says: answers, hangs, lies."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Received(NamedTuple):
    """A request as it came, and the status that it got."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def json(self):
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def key(self):
        """Its idempotency key."""
        return self.headers["Idempotency-Key"]


class FaultySink:
    """Answers 200 until told otherwise; a context manager."""

    def __init__(self):
        self.received = []
        self.status = 200
        self.headers = {}
        self.answer = b"ok"
        self.trickle_s = 0.0
        """Seconds between the bytes of the answer's head."""
        self.before_answer = lambda: None
        """Called when a request has come, before it is answered."""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.received.append(Received(self.path, dict(self.headers), body, sink.status))
                sink.before_answer()
                if sink.trickle_s:
                    sink.trickle(self.wfile)
                    return
                self.send_response(sink.status)
                for name, value in sink.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sink.answer)

            def log_message(self, *_):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.closing = threading.Event()

    def trickle(self, stream):
        """Sends a header that never ends, byte by byte."""
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10_000:
            if self.closing.wait(self.trickle_s):
                return
            stream.write(bytes((byte,)))
            stream.flush()

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def taken(self):
        """Keys of what it answered with 2xx, in order."""
        return [each.key for each in self.received if 200 <= each.status < 300]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


class MailServer:
    """A mail server without STARTTLS that keeps what it is given; a context manager."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.messages = []
        self.recipients = []

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def serve(self):
        """Serves one client after the other."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rwb") as stream:
                self.talk(stream)

    def talk(self, stream):
        """One conversation."""

        def say(text):
            stream.write(text + b"\r\n")
            stream.flush()

        say(b"220 here")
        for line in stream:
            word = line[:4].upper()
            if word == b"RCPT":
                self.recipients.append(line.decode().strip())
            if word == b"DATA":
                say(b"354 go on")
                self.messages.append(b"".join(iter(stream.readline, b".\r\n")).decode())
            say(b"250 ok" if word != b"QUIT" else b"221 bye")
            if word == b"QUIT":
                return
