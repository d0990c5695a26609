"""Real services that fail: a web server that does as it is told, PostgreSQL, closed ports."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.frameworks.serving import free_port

RESET = struct.pack("ii", 1, 0)


class _Partner(BaseHTTPRequestHandler):
    """`/503/...` answers with that status, `/reset` breaks the connection, `/silent` waits.

    Of an answer whose body breaks, `/cut` and `/torn` (in chunks) send the head and some bytes,
    `/stalled` then waits, `/undecodable` sends what is no gzip in one packet with the head; the
    status is 503 in `/cut/503`.
    """

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: the second would wait 40 ms for the first one's ACK.
    disable_nagle_algorithm = True

    def do_GET(self):
        word = self.path.split("/")[1].partition("?")[0]
        if word == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
            return
        if word == "silent":
            self.server.over.wait(60)
            self.close_connection = True
            return
        # All of it: a connection that is closed with something unread is reset, and what was
        # answered may be lost to the client.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if word in ("cut", "torn", "stalled", "undecodable"):
            self._begin_a_body(word)
            return
        planned = self.server.plan.pop(0) if self.server.plan else int(word)
        body = b"" if planned == 304 else self.server.body
        self.send_response(planned)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin_a_body(self, word):
        self.close_connection = True
        self.send_response(503 if self.path.endswith("/503") else 200)
        if word == "torn":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", "1000")
        if word == "undecodable":
            self.send_header("Content-Encoding", "gzip")
            self._headers_buffer.append(b"\r\nno gzip at all")
            self.flush_headers()
            return
        self.end_headers()
        self.wfile.write(b"5\r\nbegin\r\n" if word == "torn" else b"begin")
        self.wfile.flush()
        if word == "stalled":
            self.server.over.wait(60)

    do_POST = do_GET  # noqa: N815 - the name that the server looks for

    def log_message(self, *_):
        """Says nothing."""


@contextlib.contextmanager
def partner():
    """A web server; `plan` holds the statuses of the next answers, before what their path says."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Partner)
    server.plan, server.body, server.over = [], b"{}", threading.Event()
    server.daemon_threads = True
    server.host = f"127.0.0.1:{server.server_address[1]}"
    server.url = f"http://{server.host}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port():
    """A port of this machine at which nobody listens."""
    return free_port()


class PostgreSQL:
    """A server of a test run's own, in a folder of its own, reached over TCP."""

    def __init__(self, binaries, folder):
        self._binaries, self._folder = binaries, folder
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.conninfo = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def run(self, name, *arguments):
        """Runs one of PostgreSQL's programs, which refuse to be run by root."""
        command = [str(self._binaries / name), *arguments]
        if os.geteuid() == 0:
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=self._folder)

    def start(self):
        """Starts the server, and waits until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self._folder}"
        log = str(self._folder / "log")
        self.run(
            "pg_ctl", "-D", str(self._folder / "data"), "-l", log, "-w", "-o", options, "start"
        )

    def stop(self):
        """Stops it at once; connections break."""
        self.run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")


def _binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    return found[-1].parent if found else None


def _can_become_postgres():
    with contextlib.suppress(KeyError):
        return shutil.which("setpriv") is not None and pwd.getpwnam("postgres") is not None
    return False


@contextlib.contextmanager
def postgresql():
    """A running PostgreSQL; skips where none is installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("needs a real PostgreSQL: apt-get install postgresql")
    if os.geteuid() == 0 and not _can_become_postgres():
        pytest.skip("needs setpriv and a user postgres, since PostgreSQL does not run as root")
    folder = Path(tempfile.mkdtemp(prefix="anchor-postgresql-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server = PostgreSQL(binaries, folder)
        server.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-N")
        server.start()
        yield server
        with contextlib.suppress(subprocess.CalledProcessError):
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
