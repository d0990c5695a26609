"""Real servers in processes of their own, interleaved requests, every receipt judged."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.host.support import environment, read_outboxes

APPS = Path(__file__).parent / "apps"
TEAMS = 7
AT_ONCE = 12
_BOOT_SECONDS = 60
_BACKGROUND_SECONDS = 120


class Asked(NamedTuple):
    """One request: who sent it, where to, and the route that it must be charged to."""

    name: str
    path: str
    route: str | None

    @property
    def team(self) -> str:
        return f"team-{int(self.name[1:]) % TEAMS}"

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-user": self.name,
            "x-owner-team": self.team,
            "x-owner-request-id": f"request-{self.name}",
        }


def asked(routes, count):
    """`count` requests of as many users, taking turns at the routes ({path: template})."""
    turns = list(routes.items())
    return [
        Asked(f"u{number}", path.replace("NAME", f"u{number}"), template)
        for number in range(count)
        for path, template in [turns[number % len(turns)]]
    ]


class Site:
    """Processes of one test, and the notes that its applications made of their calls."""

    def __init__(self, home, simulator, folder):
        self.home = home
        self.notes = folder / "notes"
        self.variables = {
            "SIMULATOR": f"{simulator.openai}/v1",
            "NOTES": str(self.notes),
            "ANCHOR_PROVIDER_HOSTS": "127.0.0.1=openai",
            "ANCHOR_SERVICE": "sample",
            "DO_NOT_TRACK": "1",
        }
        self._stack = contextlib.ExitStack()
        self._log = folder / "log"

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stack.__exit__(*exception)

    def start(self, *command, **variables):
        """A process with the hook on, in the applications' folder; ended with the test."""
        environ = environment(self.home, path=[APPS], **self.variables | variables)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                env=environ,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._stack.callback(_end, process)
        return process

    def run(self, *command, **variables):
        """What a finished process printed; it must have gone well and have no complaints."""
        environ = environment(self.home, path=[APPS], **self.variables | variables)
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            env=environ,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def serve(self, *command, **variables):
        """A server, PORT in its command replaced; waits until it listens. Returns the port."""
        port = free_port()
        words = [str(word).replace("PORT", str(port)) for word in command]
        process = self.start(*words, **variables)
        deadline = time.monotonic() + _BOOT_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return port
            time.sleep(0.05)
        raise AssertionError(f"{words} does not listen:\n{self.log()}")

    def log(self):
        return self._log.read_text(errors="replace")

    def ask_all(self, port, requests):
        """Sends them interleaved over few connections; every answer must be good."""
        with contextlib.ExitStack() as opened, ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(_Client(port, opened).get, requests))
        wrong = [answer for answer in answers if answer[0] != 200]
        assert not wrong, (wrong[:3], self.log()[-2000:])

    def noted(self, count):
        """Response id -> name of the request that it was asked for, once `count` are there."""
        deadline = time.monotonic() + _BACKGROUND_SECONDS
        while time.monotonic() < deadline:
            lines = self.notes.read_text().splitlines() if self.notes.exists() else []
            if len(lines) >= count:
                break
            time.sleep(0.05)
        found = dict(reversed(line.split()) for line in lines)
        assert len(found) == len(lines) == count, (len(lines), self.log()[-3000:])
        return found

    def receipts(self):
        return read_outboxes(self.home)[0]

    def judge(self, requests):
        """Every call has one receipt, which bears the user, team, id and route of its request."""
        names = self.noted(len(requests))
        expected = {request.name: _expected(request) for request in requests}
        receipts = self.receipts()
        found = {names[receipt.response_id]: _said(receipt) for receipt in receipts}
        wrong = {
            name: (found.get(name), said)
            for name, said in expected.items()
            if found.get(name) != said
        }
        assert not wrong, (len(wrong), dict(list(wrong.items())[:5]))
        assert len(receipts) == len(requests)


def _expected(request):
    return (request.name, request.team, f"request-{request.name}", request.route, "sample", "ok")


def _said(receipt):
    return (
        receipt.user_id,
        receipt.team,
        receipt.request_id,
        receipt.feature,
        receipt.service,
        receipt.outcome,
    )


def sources(receipt):
    """Field -> where it came from."""
    return json.loads(receipt.attribution_source or "{}")


class _Client(threading.local):
    """One connection for each thread, kept open where the server keeps it."""

    def __init__(self, port, opened):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        opened.callback(self.connection.close)

    def get(self, request):
        try:
            return self._send(request)
        except (http.client.RemoteDisconnected, ConnectionResetError):
            # The server has closed it while it was idle.
            self.connection.close()
            return self._send(request)

    def _send(self, request):
        self.connection.request("GET", request.path, headers=request.headers)
        answer = self.connection.getresponse()
        return answer.status, request.path, answer.read()


def free_port():
    """A port of which the kernel makes no use by itself, until a server of ours listens there.

    From its own range (32768 up) it would give the port to a connection meanwhile: to another's, or
    to that of whoever asks whether the server listens yet, which then is connected with itself.
    """
    # Not `random`, which pytest-randomly seeds anew for each test: each would get the same port.
    for port in secrets.SystemRandom().sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as found:
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("None of 100 ports is free")


def _end(process):
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(2)
    # Its workers too, which some servers wait for very long.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
