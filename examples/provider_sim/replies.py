"""What the simulated model says: a text, a tool call, a value for a schema."""

from __future__ import annotations

from collections.abc import Sequence

from examples.provider_sim.calls import Call
from examples.provider_sim.values import Json

MAX_DEFAULT_CHUNKS = 8
_WORDS = tuple(
    word if i == 0 else f" {word}"
    for i, word in enumerate(
        [
            "This",
            "is",
            "an",
            "answer",
            "of",
            "the",
            "provider",
            "simulator.",
            "It",
            "counts",
            "tokens",
            "and",
            "bills",
            "them.",
        ]
    )
)

# As the providers do: a receipt must be able to tell requested and served model apart.
# Response model by requested alias; what is not here is served under its own name.
ALIASES = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "o4-mini": "o4-mini-2025-04-16",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
}


def served_model(call: Call) -> str:
    """Return the model name of the response."""
    return call.plan.model or ALIASES.get(call.model, call.model)


def response_id(call: Call, prefix: str, length: int = 24) -> str:
    """Return the response id: the wished one, the constant one of `same_id`, or a new one."""
    if call.plan.id:
        return call.plan.id
    if call.fault("same_id"):
        return f"{prefix}{'0' * length}"
    return call.state.ids.new(prefix, length)


def pieces(call: Call, tokens: int) -> list[str]:
    """Return the reply in the chunks in which a stream delivers it, at least one."""
    if call.plan.text is not None:
        return _cut(call.plan.text, call.plan.chunks)
    count = call.plan.chunks or max(1, min(tokens, MAX_DEFAULT_CHUNKS))
    return [_WORDS[i % len(_WORDS)] for i in range(count)]


def cut(text: str, count: int = 2) -> list[str]:
    """Return a text in at most `count` pieces of about the same length."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[i : i + size] for i in range(0, len(text), size)] or [""]


def _cut(text: str, count: int | None) -> list[str]:
    return cut(text, count or min(MAX_DEFAULT_CHUNKS, max(1, len(text.split()))))


def example_of(schema: object, definitions: Json | None = None) -> object:
    """Return a small value that fits a JSON schema (the subset of structured outputs, any case)."""
    if not isinstance(schema, dict):
        return "sim"
    definitions = schema.get("$defs") or definitions or {}
    if "$ref" in schema:
        return example_of(definitions.get(str(schema["$ref"]).rpartition("/")[2]), definitions)
    for choice in ("enum", "anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            first = schema[choice][0]
            return first if choice == "enum" else example_of(first, definitions)
    if "const" in schema:
        return schema["const"]
    return _typed_example(schema, definitions)


def _typed_example(schema: Json, definitions: Json) -> object:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = str(kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        properties: Json = schema.get("properties") or {}
        return {name: example_of(part, definitions) for name, part in properties.items()}
    if kind == "array":
        return [example_of(schema.get("items"), definitions)]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(kind, "sim")


def tool_to_call(
    call: Call, tools: Sequence[tuple[str, object]], *, answered: bool
) -> tuple[str, Json] | None:
    """Return name and arguments of the tool that the reply calls, or None for a reply in text.

    The first tool is called once, with example arguments, unless the turn already holds a tool's
    result; the wishes `tool=name`, `tool=none` and `arguments={...}` decide otherwise.
    """
    # Once: an agent's loop has to come to an end.
    if not tools or answered or call.plan.tool == "none":
        return None
    schemas = dict(tools)
    name = call.plan.tool if call.plan.tool in schemas else tools[0][0]
    if call.plan.arguments is not None:
        return name, call.plan.arguments
    example = example_of(schemas[name])
    return name, example if isinstance(example, dict) else {}
