"""Plain HTTP to the simulator, without an SDK: one request, one answer."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


class Got(NamedTuple):
    """One answer; `json` is None when the body is none."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of each server-sent event, parsed where it is JSON."""
        lines = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


def post(url: str, path: str, body: object, **headers: str) -> Got:
    """Post JSON; header names are written with underscores."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, data, {"content-type": "application/json", **sent})
        answer = connection.getresponse()
        return Got(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def get(url: str, path: str) -> Got:
    """Get a path."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return Got(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def saying(text: str, **more: object) -> dict[str, object]:
    """Return a chat body with one user message."""
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}
