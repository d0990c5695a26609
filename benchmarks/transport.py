"""A provider inside the process: answers as they were on the wire, without a socket.

For figures of a few microseconds, which a server on the same two cores would drown. Everything
above the transport is the SDK's and httpx's own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

CHUNKS = 100
_HEADERS = {
    "date": "Sun, 22 Nov 2026 08:00:00 GMT",
    "openai-organization": "bench",
    "openai-processing-ms": "301",
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "2000000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "1999980",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-reset-tokens": "0s",
    "x-request-id": "req_0123456789abcdef0123456789abcdef",
    "request-id": "req_0123456789abcdef01234567",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
    "server": "bench",
}
_USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
_CHAT: dict[str, Any] = {
    "id": "chatcmpl-0123456789abcdefghijklmnopqrs",
    "object": "chat.completion",
    "created": 1_795_334_400,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello! How can I help?",
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": _USAGE,
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}
_MESSAGE = {
    "id": "msg_0123456789abcdefghijklmn",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "Hello! How can I help?"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 19,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 10,
        "service_tier": "standard",
    },
}


def _events() -> list[bytes]:
    head = {**_CHAT, "object": "chat.completion.chunk", "usage": None}
    choice = {"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None}
    chunk = json.dumps({**head, "choices": [choice]}, separators=(",", ":"))
    last = json.dumps({**head, "choices": [], "usage": _USAGE}, separators=(",", ":"))
    return [f"data: {text}\n\n".encode() for text in [chunk] * CHUNKS + [last, "[DONE]"]]


_IDS = itertools.count(10**9)
_BODIES = {"/chat/completions": json.dumps(_CHAT), "/messages": json.dumps(_MESSAGE)}
_STREAM = _events()


def library_of(sdk: Any) -> Any:
    """The HTTP library that an SDK uses: httpx, or httpx2 from openai 3 and anthropic 2."""
    names = vars(sys.modules[f"{sdk.__name__}._base_client"])
    return names.get("httpx") or names["httpx2"]


def transports(httpx: Any) -> tuple[Any, Any]:
    """A synchronous and an asynchronous transport for this library."""

    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            yield from _STREAM

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for event in _STREAM:
                yield event

    def answer(request: Any) -> Any:
        if b'"stream":true' in request.content:
            headers = {**_HEADERS, "content-type": "text/event-stream; charset=utf-8"}
            return httpx.Response(200, headers=headers, stream=Stream())
        path = next((end for end in _BODIES if request.url.path.endswith(end)), None)
        headers = {**_HEADERS, "content-type": "application/json"}
        # Every answer has an id of its own, as on the wire: what is remembered by it grows.
        body = _BODIES[path].replace("0123456789", str(next(_IDS)), 1) if path else "{}"
        return httpx.Response(200, headers=headers, content=body)

    class Transport(httpx.BaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            return answer(request)

    class AsyncTransport(httpx.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            # The others get their turn here, as they do while a provider thinks.
            await asyncio.sleep(0)
            return answer(request)

    return Transport(), AsyncTransport()
