"""Small readers that the SDK families share.

A usage object as JSON, an attribute or key by name.
"""

from __future__ import annotations

import json
from typing import Any


def to_json(usage: object) -> str | None:
    """A usage object as compact JSON with the names that it had on the wire; None for None."""
    if usage is None:
        return None
    # Pydantic 2's own serializer: 1.3 us against 5 for model_dump + json.dumps (measured). Fields
    # that the provider did not send stay out: missing is not zero.
    serializer = getattr(type(usage), "__pydantic_serializer__", None)
    if serializer is not None:
        return str(serializer.to_json(usage, exclude_unset=True), "utf-8")
    if isinstance(usage, dict):
        return json.dumps(usage, separators=(",", ":"), default=str)
    fields = _plain_fields(usage)
    if fields is not None:
        return json.dumps(fields, separators=(",", ":"), default=str)
    as_json = getattr(usage, "json", None)
    return str(as_json(exclude_unset=True)) if callable(as_json) else None


def _plain_fields(value: Any) -> dict[str, Any] | None:
    """The fields of a dataclass, a named tuple or a plain object as a dict; None for others."""
    if hasattr(type(value), "__dataclass_fields__"):
        from dataclasses import asdict

        return asdict(value)
    if hasattr(type(value), "_asdict"):
        return dict(value._asdict())
    if type(value).__module__ == "types":
        return dict(vars(value))
    return None


def get(value: Any, name: str) -> Any:
    """`value[name]` of a dict, `value.name` of an object, None where it has none."""
    if isinstance(value, dict):
        return value.get(name)
    return getattr(value, name, None)


def text(value: Any, name: str) -> str | None:
    """A text field, None for anything else."""
    found = get(value, name)
    return found if isinstance(found, str) else None


def facts(value: Any, *names: str) -> dict[str, object] | None:
    """The named plain fields that are set, as price facts; None when none is."""
    found: dict[str, object] = {}
    for name in names:
        fact = get(value, name)
        if isinstance(fact, (str, int, float)) and not isinstance(fact, bool):
            found[name] = fact
    return found or None
