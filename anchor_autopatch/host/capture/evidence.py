"""How large a call was whose provider told no usage: characters sent, characters and chunks seen.

Counts only, never content, and only where a stream was left, broke, or ended without usage. They
stand in `price_facts` under names of their own, beside whatever usage was told: the job makes an
estimate of them that is called one.
"""

from __future__ import annotations

import json
from typing import Any

from anchor_autopatch.host.capture.calls import EVIDENCE, Call, Seen

SENT, SEEN, CHUNKS = EVIDENCE
_LONGEST = 8_388_608
"""Bytes of a request that are parsed for its size; a longer one holds files, not text."""
# What a model reads as text; all else is names, settings, addresses and files.
_TEXTS = frozenset(
    (
        "arguments",
        "chat_history",
        "content",
        "contents",
        "documents",
        "input",
        "instructions",
        "message",
        "messages",
        "output",
        "parts",
        "preamble",
        "prompt",
        "suffix",
        "system",
        "system_instruction",
        "systemInstruction",
        "text",
        "thinking",
    )
)
_SCHEMAS = frozenset(("functions", "tools"))
"""Read by the model whole: names, descriptions and schemas."""


class Counts:
    """What a reader of chunks counts while they pass."""

    reads_text = True
    """False where the chunks are only counted."""
    characters = 0
    """Of text, of arguments of tools, of thoughts that were shown."""
    chunks = 0
    """Chunks that held any; each of them is one token at least."""


def completed(call: Call, seen: Seen, counts: object) -> Seen:
    """What is known of a stream at its end, with evidence of its size where usage is missing."""
    request, call.request = call.request, None
    told = seen.raw_usage is not None and seen.source != "partial"
    if told or call.ended or not isinstance(counts, Counts):
        return seen
    found: dict[str, object] = {CHUNKS: counts.chunks}
    if counts.reads_text:
        found[SEEN] = counts.characters
    sent = sent_characters(request)
    if sent:
        found[SENT] = sent
    return seen._replace(facts={**(seen.facts or {}), **found})


def sent_characters(request: Any) -> int:
    """Characters of a request that its model reads as text; 0 where none can be seen.

    Args:
        request: A JSON object; a text or bytes of one; an HTTP request that has its body in memory
            (httpx, httpx2); a function that gives one of them; None.
    """
    body = request() if callable(request) else getattr(request, "_content", request)
    if isinstance(body, (bytes, bytearray, str)):
        body = _parsed(body)
    if not isinstance(body, dict):
        return 0
    if isinstance(body.get("body"), (bytes, bytearray, str)):
        # botocore's parameters of an invoked model.
        body = _parsed(body["body"])
    return _size(body)


def _parsed(body: bytes | bytearray | str) -> dict[str, Any]:
    if len(body) > _LONGEST:
        return {}
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _size(value: Any) -> int:
    if isinstance(value, str):
        # An image or a document inside a text field (data:image/png;base64,...).
        return 0 if value.startswith("data:") else len(value)
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    if not isinstance(value, dict):
        return 0
    inner = sum(_size(part) for name, part in value.items() if name in _TEXTS)
    return inner + sum(_schema_size(value[name]) for name in _SCHEMAS if value.get(name))


def _schema_size(schema: Any) -> int:
    return len(json.dumps(schema, ensure_ascii=False, separators=(",", ":"), default=str))
