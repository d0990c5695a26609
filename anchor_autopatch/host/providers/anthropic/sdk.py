"""The Anthropic SDK, 0.75 and later: messages, plain and streamed."""

from __future__ import annotations

import json
import re
import sys
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import NOTHING, Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.providers import stainless
from anchor_autopatch.host.providers.anthropic import agents as anthropic_agents
from anchor_autopatch.host.providers.objects import Object, Request
from anchor_autopatch.host.providers.reading import get, text, to_json

OPERATIONS = {"/v1/messages": "chat", "/v1/complete": "text_completion"}
_SHAPE = "anthropic.messages"
_RESULTS = re.compile(r"/messages/batches/[^/]+/results\Z")
_BATCH = re.compile(r"/messages/batches/[^/]+(?:/cancel)?\Z")


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("anthropic._version"), "__version__", None)


def patch(base_client: ModuleType) -> None:
    """Wraps the choke points; `base_client` is `anthropic._base_client`."""
    stainless.patch(FAMILY, base_client, sys.modules["anthropic._streaming"])
    lines = sys.modules.get("anthropic._decoders.jsonl")
    if lines is not None:
        patching.replace(lines.JSONLDecoder, "__decode__", _wrap_decode)
        patching.replace(lines.AsyncJSONLDecoder, "__decode__", _wrap_async_decode)


def read_request(_operation: str, _body: dict[str, Any]) -> dict[str, object] | None:
    """Nothing: tier, speed and geography of a message stand in its usage."""
    return None


def read_usage(_operation: str, answer: Any) -> Seen:
    """Usage and served model of a parsed message or of its JSON."""
    usage = to_json(get(answer, "usage"))
    return Seen(usage, _SHAPE if usage else None, text(answer, "model"), text(answer, "id"))


def _words(event: Any) -> str:
    """What a delta without the attribute `text` holds; a signature is no token of the model's."""
    delta = get(event, "delta")
    words = get(delta, "text") or get(delta, "thinking") or get(delta, "partial_json") or ""
    return words if isinstance(words, str) else ""


class _MessageReader(Counts):
    """Events of a message.

    The input side stands in message_start, the cumulative output in message_delta.
    """

    def __init__(self) -> None:
        self.begun = False
        self._message: Any = None
        self._delta: Any = None

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        kind = get(chunk, "type")
        if kind == "content_block_delta":
            words = getattr(get(chunk, "delta"), "text", None) or _words(chunk)
            self.characters += len(words)
            self.chunks += 1
        elif kind == "message_delta":
            self._delta = get(chunk, "usage")
        elif kind == "message_start":
            self._message = get(chunk, "message")
        return False

    def seen(self) -> Seen:
        if self._message is None:
            return NOTHING
        usage = json.loads(to_json(get(self._message, "usage")) or "{}")
        if self._delta is None:
            # The output count of message_start is a placeholder, not a measurement.
            usage.pop("output_tokens", None)
        else:
            later = json.loads(to_json(self._delta) or "{}")
            usage.update((name, value) for name, value in later.items() if value is not None)
        return Seen(
            json.dumps(usage, separators=(",", ":")),
            _SHAPE,
            text(self._message, "model"),
            text(self._message, "id"),
            source="provider" if self._delta is not None else "partial",
        )

    def complete(self) -> bool:
        return self._delta is not None


def _reader(_operation: str, _injected: bool) -> Reader:
    return _MessageReader()


def _object_request(method: str, path: str) -> Request | None:
    """Batches: they tell usage message by message, in their results."""
    if method == "POST" and path.endswith("/messages/batches"):
        return Request("batch", path, retrieved=False)
    if method == "GET" and _RESULTS.search(path):
        return Request("batch_results", path, retrieved=True)
    if _BATCH.search(path) and method in ("GET", "POST"):
        return Request("batch", path, retrieved=True)
    return anthropic_agents.request(method, path)


def _read_objects(asked: Request, answer: Any) -> list[Object]:
    """A batch, or the messages of its results: one line, or all as a text."""
    if asked.operation == "batch":
        return _batch(answer)
    if asked.operation in ("agent", "dream"):
        return anthropic_agents.read(asked, answer)
    lines = answer.splitlines() if isinstance(answer, str) else [answer]
    found = []
    for line in lines:
        message = get(get(json.loads(line) if isinstance(line, str) else line, "result"), "message")
        named = text(message, "id")
        if named is not None:
            seen = read_usage("chat", message)._replace(facts={"batch": True})
            found.append(Object(named, True, seen, batch_id=asked.path.split("/")[-2]))
    return found


def _batch(answer: Any) -> list[Object]:
    """A batch that goes on until its results are read, or has ended without any."""
    named = text(answer, "id")
    if named is None:
        return []
    over = text(answer, "processing_status") == "ended"
    fruitless = over and get(get(answer, "request_counts"), "succeeded") == 0
    seen = Seen(response_id=named, facts={"batch": True})
    return [Object(named, fruitless, seen, "failed" if fruitless else None)]


def _wrap_decode(original: Any) -> Any:
    @wraps(original)
    def __decode__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        lines = original(self)
        call = streams.find(self.http_response)
        yield from lines if call is None else streams.each(lines, call, self.http_response)

    return __decode__


def _wrap_async_decode(original: Any) -> Any:
    @wraps(original)
    def __decode__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        return streams.AsyncChunks(original(self), self.http_response)

    return __decode__


FAMILY = stainless.Family(
    name="anthropic",
    provider="anthropic",
    class_providers={
        "AnthropicBedrock": "bedrock",
        "AnthropicBedrockMantle": "bedrock",
        "AnthropicVertex": "vertex_ai",
        "AnthropicFoundry": "azure_ai",
        "AnthropicAWS": "bedrock",
    },
    operations=OPERATIONS,
    request_id_header="request-id",
    request_facts=read_request,
    read_usage=read_usage,
    stream_reader=_reader,
    usage_on_request=None,
    object_request=_object_request,
    read_objects=_read_objects,
)
