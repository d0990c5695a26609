"""Runs in `.venvs/frameworks`: for each line on stdin a block of failures; answers in us each."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import sys
from collections.abc import Callable

import redis
import requests
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.clock import stopwatch

_BLOCK = 100
_log = logging.getLogger("benchmark")


class _Adapter(requests.adapters.HTTPAdapter):
    """Answers in this process, or has no connection where the status is 0."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self._status = status

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        if not self._status:
            raise requests.exceptions.ConnectionError
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = self._status, str(request.url), request
        answer._content = b"{}"
        return answer


class _Answering(redis.Connection):
    """Says OK to every command, in this process."""

    def connect(self) -> None:
        """Nothing to connect to."""

    def send_command(self, *_: object, **__: object) -> None:
        """Nobody to send to."""

    def read_response(self, *_: object, **__: object) -> bytes:
        """What a server says to SET."""
        return b"OK"

    def can_read(self, *_: object, **__: object) -> bool:
        """Nothing waits to be read."""
        return False


def _asking(status: int) -> Callable[[], object]:
    session = requests.Session()
    session.mount("http://", _Adapter(status))
    session.trust_env = False

    def work() -> None:
        with contextlib.suppress(requests.exceptions.ConnectionError):
            session.get("http://partner.example/order")

    return work


def _exception() -> None:
    try:
        raise LookupError("no such order")  # noqa: TRY301 - what is measured
    except LookupError:
        _log.exception("Order %s failed", 4711)


def _redis() -> Callable[[], object]:
    pool: redis.ConnectionPool = redis.ConnectionPool(connection_class=_Answering)
    cache = redis.Redis(connection_pool=pool)
    return lambda: cache.execute_command("SET", "a", "b")


def _redis_gone() -> Callable[[], object]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    cache = redis.Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0))

    def work() -> None:
        with contextlib.suppress(redis.ConnectionError):
            cache.execute_command("GET", "a")

    return work


_WORKS: dict[str, Callable[[], Callable[[], object]]] = {
    "logged below": lambda: lambda: _log.warning("Order %s is late", 4711),
    "logged": lambda: lambda: _log.error("Order %s failed", 4711),
    "storm": lambda: lambda: _log.error("Order %s failed", 4711),
    "exception": lambda: _exception,
    "503": lambda: _asking(503),
    "no answer": lambda: _asking(0),
    "redis": _redis,
    "redis gone": _redis_gone,
}


def _forget_storm() -> None:
    """Lets the next event be a row of its own: of many alike, most are only counted."""
    events = sys.modules.get("anchor_autopatch.host.events")
    if events is not None:
        events._counting = None


def main() -> None:
    """Works until stdin ends."""
    _log.addHandler(logging.NullHandler())
    _log.propagate = False
    work = _WORKS[sys.argv[1]]()
    took = stopwatch()
    between = (lambda: None) if sys.argv[1] == "storm" else _forget_storm
    for _ in sys.stdin:
        samples = []
        for _ in range(_BLOCK):
            between()
            samples.append(took(work))
        print(json.dumps(samples), flush=True)


if __name__ == "__main__":
    main()
