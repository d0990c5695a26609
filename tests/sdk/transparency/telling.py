"""Everything that an application can see of a result or an error, as one text to compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CHAIN = 8
_ADDRESS = re.compile(r"\b0x[0-9a-f]+")


def result(value: object) -> str:
    """Type and content; an object of an SDK with every attribute that it carries."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return f"{kind} {_content(value)}"


def _content(value: Any) -> str:
    if isinstance(value, (str, bytes, int, float, bool, type, type(None))):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {result(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(result, value)) + "]"
    if hasattr(value, "model_dump"):
        # What was added to the object itself would stand in its __dict__ and in no dump.
        carried, given = sorted(vars(value)), sorted(value.model_fields_set or ())
        return f"{value.model_dump(warnings=False)!r} {carried} {given}"
    if hasattr(value, "SerializeToString"):
        return repr(value.SerializeToString(deterministic=True))
    return _ADDRESS.sub("0x", repr(value))


def error(raised: BaseException) -> str:
    """The exception with its attributes, and everything that it hangs on to, outermost first."""
    lines = []
    link: BaseException | None = raised
    while link is not None and len(lines) < _CHAIN:
        kind = f"{type(link).__module__}.{type(link).__qualname__}"
        own = sorted(name for name in vars(link) if not name.startswith("__"))
        lines.append(f"raised {kind} {_plain(str(link))} {own} {link.__suppress_context__}")
        link = link.__cause__ or link.__context__
    return "\n  ".join(lines)


def _plain(text: str) -> str:
    return repr(_ADDRESS.sub("0x", text))
