"""Sends one request over one connection to an address that was looked at; follows nothing.

No proxy of the environment, no redirect, no cookie, no retry: what comes back is what that one
address said within the budget.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import suppress
from threading import Event, Timer
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from anchor_autopatch.core.alerting.addresses import Target

BUDGET_SECONDS = 5.0
"""For all of it: a sink that sends a byte a second gets no more time than a silent one."""
_ANSWER_BYTES = 4_096


class Request(NamedTuple):
    """What is sent; the URL is looked at before."""

    url: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What came back."""

    status: int
    retry_after_s: int
    """0 where the sink asked for nothing."""
    text: str
    """The beginning of it."""


def post(target: Target, request: Request, budget_s: float = BUDGET_SECONDS) -> Answer:
    """Posts the request and reads the beginning of the answer.

    Raises:
        OSError: no connection, no whole answer in time, or a broken one; TLS included.
        http.client.HTTPException: what came back is no HTTP.
    """
    connection = http.client.HTTPConnection(target.host, target.port, timeout=budget_s)
    connection.sock = connect(target, budget_s)
    # A timeout of the socket starts anew with every byte: the timer does not.
    over = Event()
    timer = Timer(budget_s, _cut, (connection.sock, over))
    timer.daemon = True
    # A process that ends starts no thread any more (Python 3.12), and ends long before the limit.
    with suppress(RuntimeError):
        timer.start()
    try:
        connection.request("POST", target.path, request.body, request.headers)
        answer = connection.getresponse()
        text = answer.read(_ANSWER_BYTES).decode("utf-8", "replace")
        if over.is_set():
            # A head that was cut off reads like one that has ended.
            raise TimeoutError(f"no whole answer within {budget_s:g} s")
        return Answer(answer.status, _seconds(answer.getheader("Retry-After")), text)
    finally:
        timer.cancel()
        connection.close()


def connect(target: Target, budget_s: float) -> socket.socket:
    """A connection to the address of a target; with TLS, the certificate must be the name's."""
    plain = socket.create_connection((target.address, target.port), timeout=budget_s)
    if target.scheme not in ("https", "smtps"):
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _cut(connection: socket.socket, over: Event) -> None:
    over.set()
    # It may be closed by now.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _seconds(header: str | None) -> int:
    return int(header) if header and header.isascii() and header.isdigit() else 0
