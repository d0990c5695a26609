"""Small shared values and helpers: the JSON type, compact dumping, overlaying, text sizes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class SimulationError(ValueError):
    """Something asked of the simulator that it does not understand or cannot do."""


DIRECTIVE = re.compile(r"\[\[sim\s.*?\]\](?!\])", re.DOTALL)

# Values under these keys are names, ids or binary data, not text that a model reads.
_NOT_TEXT = frozenset(
    [
        "data",
        "file_data",
        "id",
        "image_url",
        "inlineData",
        "inline_data",
        "mimeType",
        "mime_type",
        "model",
        "name",
        "role",
        "signature",
        "thoughtSignature",
        "tool_call_id",
        "tool_use_id",
        "type",
        "url",
    ]
)
_READ_BY_THE_MODEL = (
    "system",
    "systemInstruction",
    "system_instruction",
    "instructions",
    "messages",
    "input",
    "prompt",
    "contents",
    "content",
    "requests",
    "instances",
    "generateContentRequest",
)

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def dump(value: object) -> bytes:
    """Return compact UTF-8 JSON."""
    return _encode(value).encode()


def overlay(default: Json, wanted: Json | None) -> Json:
    """Return `default` with the keys of `wanted` put over it, nested objects key by key."""
    if not wanted:
        return default
    merged = dict(default)
    for key, value in wanted.items():
        below = merged.get(key)
        merged[key] = (
            overlay(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged


def texts(value: object) -> Iterator[str]:
    """Yield the strings a model would read, in document order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NOT_TEXT:
                yield from texts(item)


def strings(value: object) -> Iterator[str]:
    """Yield every string value, in document order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)


def tokens_of(text: str) -> int:
    """Return the tokens of a text: one per four characters, rounded up, directives left out."""
    # A directive is for the simulator, not for the model.
    if "[[sim" in text:
        text = DIRECTIVE.sub("", text)
    return math.ceil(len(text) / 4)


def input_tokens(body: Json) -> int:
    """Return the token count of everything the model reads in a request, at least 1."""
    read = (body[key] for key in _READ_BY_THE_MODEL if key in body)
    return max(1, sum(tokens_of(text) for value in read for text in texts(value)))


def share(total: int, done: int, of: int) -> int:
    """Return how much of `total` was generated when `done` of `of` chunks were, rounded up."""
    return -(-total * done // of) if of else total
