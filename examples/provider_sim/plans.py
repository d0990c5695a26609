"""What the caller wishes for one request: from script, `x-sim-*` headers, `[[sim ...]]` directives.

Later sources win key by key: script, then headers, then directives. Without a wish every answer
follows the default rules of README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.provider_sim.failures import Failure, parse_failure
from examples.provider_sim.values import Json, SimulationError, strings

_decoder = json.JSONDecoder()
_TURNS = ("messages", "input", "contents")


class WishError(SimulationError):
    """A wish that the simulator does not understand."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The wishes for one request; None means: by the default rules."""

    usage: Json | None = None
    fail: Failure | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    chunks: int | None = None
    batch: int = 1
    id: str | None = None
    model: str | None = None
    text: str | None = None
    tier: str | None = None
    tool: str | None = None
    arguments: Json | None = None
    polls: int = 1
    extra: Json | None = None


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise WishError(f"Expected a JSON object, got {value!r}")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "usage": _object,
    "fail": parse_failure,
    "delay": float,
    "chunk_delay": float,
    "chunks": int,
    "batch": int,
    "id": str,
    "model": str,
    "text": str,
    "tier": str,
    "tool": str,
    "arguments": _object,
    "polls": int,
    "extra": _object,
}
WISHES = tuple(_READERS)
NO_WISHES = Plan()


def make_plan(wishes: Mapping[str, object]) -> Plan:
    """Return the plan for raw wishes.

    Raises:
        WishError: for an unknown key or a value of the wrong kind, naming both.
    """
    ready: dict[str, Any] = {}
    for key, value in wishes.items():
        if key not in _READERS:
            raise WishError(f"Unknown simulator wish {key!r}; known: {', '.join(sorted(_READERS))}")
        try:
            ready[key] = _READERS[key](value)
        except (TypeError, ValueError) as error:
            raise WishError(f"Simulator wish {key}={value!r} cannot be used: {error}") from error
    return Plan(**ready)


def header_wishes(headers: list[tuple[bytes, bytes]]) -> Json:
    """Return the wishes in `x-sim-*` request headers."""
    found: Json = {}
    for name, value in headers:
        if name.startswith(b"x-sim-"):
            found[name[6:].decode().replace("-", "_")] = _value(value.decode())
    return found


def body_wishes(body: Json, raw: bytes) -> Json:
    """Return the wishes in `[[sim ...]]` directives of the current turn."""
    # Nearly all calls leave here; walking the body is for those that wish something.
    if b"[[sim " not in raw:
        return {}
    found: Json = {}
    for text in strings(current_turn(body) if body else raw.decode("utf-8", "replace")):
        found.update(text_wishes(text))
    return found


def current_turn(body: Json) -> Json:
    """Return the request without the turns before the last one in which the user says something."""
    # A chat sends its whole history: what was wished once must not strike in every later turn.
    for key in _TURNS:
        turns = body.get(key)
        if isinstance(turns, list) and len(turns) > 1:
            said = [i for i, turn in enumerate(turns) if _user_says(turn)]
            return {**body, key: turns[said[-1] :]} if said else body
    return body


def _user_says(turn: object) -> bool:
    if not isinstance(turn, dict) or turn.get("role", "user") != "user":
        return False
    content = turn.get("content", turn.get("parts"))
    if isinstance(content, str):
        return True
    return isinstance(content, list) and any(
        isinstance(part, dict) and "text" in part for part in content
    )


def text_wishes(text: str) -> Json:
    """Return the wishes in every directive of a text: `[[sim fail=rate_limit*2 usage={...}]]`."""
    found: Json = {}
    start = text.find("[[sim ")
    while start >= 0:
        end = _read_directive(text, start + 6, found)
        start = text.find("[[sim ", end)
    return found


def _read_directive(text: str, position: int, found: Json) -> int:
    while position < len(text) and not text.startswith("]]", position):
        if text[position].isspace():
            position += 1
            continue
        name, equals, _ = text[position:].partition("=")
        if not equals or not name.isidentifier():
            raise WishError(
                f"Simulator directive not understood at {text[position : position + 40]!r}"
            )
        found[name], position = _read_value(text, position + len(name) + 1)
    return position


def _read_value(text: str, position: int) -> tuple[object, int]:
    # JSON may hold spaces and "]]", so it is the decoder that says where a value ends.
    if position < len(text) and text[position] in '{["':
        return _decoder.raw_decode(text, position)
    end = position
    while end < len(text) and not text[end].isspace() and not text.startswith("]]", end):
        end += 1
    return _value(text[position:end]), end


def _value(text: str) -> object:
    # Bare words are text: fail=rate_limit*2 needs no quotes.
    try:
        return json.loads(text)
    except ValueError:
        return text
