"""Reads the few fields of a JSON body that a receipt needs, without parsing the content."""

from __future__ import annotations

import json
from typing import Any

WHOLE = 65_536
"""Up to this many bytes a body is parsed whole (0.3 ms); in a longer one fields are sought."""
_SPAN = 16_384
"""A field's value is looked for in at most so many bytes."""
# The content stands between these: what comes before it is sought from the start, what comes after
# it from the end. Inside a text the quotes would be escaped, so a hit can only be a key.
_FIRST = ("id", "model", "type")
_LAST = (
    "stream", "usage", "usageMetadata", "meta", "usage_info", "service_tier", "modelVersion",
    "responseId", "error",
)  # fmt: skip
# Counted where they are too long to be parsed: (key of one item, list that it stands in).
_ITEMS = (("b64_json", "data"), ("bytesBase64Encoded", "predictions"))
_decode = json.JSONDecoder().raw_decode


def read(body: bytes | str) -> dict[str, Any]:
    """The top-level fields of a JSON body; {} for one that is not a JSON object.

    Of a list of objects (Gemini's streams without `alt=sse`) or of JSON lines (Cohere's v1 streams)
    the last one.
    """
    if isinstance(body, str):
        body = body.encode("utf-8", "replace")
    if len(body) > WHOLE:
        return sought(body)
    try:
        value = json.loads(body)
    except ValueError:
        *earlier, last = body.strip().splitlines() or (b"",)
        return read(last) if earlier else sought(body) if len(body) > _SPAN else {}
    if isinstance(value, list) and value:
        value = value[-1]
    return value if isinstance(value, dict) else {}


def sought(body: bytes) -> dict[str, Any]:
    """The known fields of a body too long or too damaged to be parsed."""
    found: dict[str, Any] = {}
    for name in _FIRST:
        _note(found, name, body, body.find(b'"%s"' % name.encode()))
    for name in _LAST:
        _note(found, name, body, body.rfind(b'"%s"' % name.encode()))
    for name, items in _ITEMS:
        count = body.count(b'"%s"' % name.encode())
        if count:
            found[items] = [{}] * count
    return found


def _note(found: dict[str, Any], name: str, body: bytes, position: int) -> None:
    if position < 0:
        return
    start = position + len(name) + 2
    text = body[start : start + _SPAN].decode("utf-8", "ignore").lstrip()
    if not text.startswith(":"):
        return
    try:
        found[name] = _decode(text[1:].lstrip())[0]
    except ValueError:
        return
