"""`record()` for a manual logging call site that is already there.

Never doubles what a patch has written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anchor_autopatch.core.hosts import UNMAPPED
from anchor_autopatch.core.scrub import is_harmless, scrub
from anchor_autopatch.host import events
from anchor_autopatch.host.capture import identity, streams
from anchor_autopatch.host.capture.calls import Call, Seen
from anchor_autopatch.host.capture.sites import site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.reading import facts, get, text, to_json
from anchor_autopatch.host.providers.tap import parsed
from anchor_autopatch.host.storage import outbox

_INNER = ("response", "raw", "parsed", "data", "body", "result")
"""Where wrappers keep the provider's answer, in the order in which they are tried."""
_USAGE_NAMES = ("usage", "usage_metadata", "usageMetadata")
_ID_NAMES = ("id", "responseId", "response_id")
_MODEL_NAMES = ("model", "model_version", "modelVersion")
_DEPTH = 3
_TEXT_LIMIT = 1_048_576
"""Of a body that is kept as text; a longer one is not parsed while the application waits."""
_RECORDED_LIMIT = 4_096
_recorded: dict[tuple[str, str], None] = {}
"""(provider, response id) of the receipts that were written here; the oldest goes first."""
_LAYERS = 20
# They invoice for models of every maker.
_RESELLERS = frozenset(("azure", "azure_ai", "bedrock", "vertex_ai", "openrouter"))


def record(response: object, *, provider: str | None = None, model: str | None = None) -> None:
    """Makes sure that a provider's answer has its receipt.

    An answer that a patch saw has one already: then nothing is written. One that no patch saw (a
    dict, a wrapper, an SDK that is not supported) gets its billable receipt here; without a
    response id each call counts.

    Args:
        response: The answer: an SDK object, a dict, or something that holds one.
        provider: Who invoices, in LiteLLM's names; the usage decides how it is metered.
        model: The model that was asked for, where the answer does not name it.
    """
    _record(response, provider, model)


def flush() -> int:
    """Writes what waits in memory after a disk failure.

    Returns how many rows still wait (0 = all durable).
    """
    left = _flush()
    # Unknown after a fault of ours: as many as can wait, lest they be taken for durable.
    return left if left is not None else outbox.MEMORY_LIMIT


@guarded("flush")
def _flush() -> int:
    events.write_held()
    return outbox.flush()


@guarded("record")
def _record(response: object, provider: str | None, model: str | None) -> None:
    layers = list(_layers(response))
    if _is_known(response) or any(_is_known(layer) for layer in layers):
        return
    place = next((place for place, layer in enumerate(layers) if _usage(layer) is not None), 0)
    answer, usage = layers[place], _usage(layers[place])
    # A wrapper may keep the usage beside the answer: then what it wraps says the rest.
    telling = (answer, *layers[place + 1 :])
    response_ids = _texts(telling, _ID_NAMES)
    if any(_has_receipt(response_id, provider) for response_id in response_ids):
        return
    response_id = next(iter(response_ids), None)
    served = next(iter(_texts(telling, _MODEL_NAMES)), None)
    call = Call("record", "record", model or served, None, stream=False)
    call.site = site(provider or UNMAPPED, None, None)
    call.provider = call.site.provider
    shape = usage_shape(usage)
    # What has no shape of its own is still evidence: kept verbatim, and metered once the shape is
    # known.
    told = _without_secrets(_usage_json(usage))
    seen = Seen(told, shape, served, response_id, facts(answer, "service_tier"))
    call.succeed(seen, response)
    if response_id is not None:
        _recorded[(call.provider, response_id)] = None
        if len(_recorded) > _RECORDED_LIMIT:
            _recorded.pop(next(iter(_recorded)))


def _is_known(layer: object) -> bool:
    """True when a patch has written this very object's receipt, or will when its stream ends."""
    return identity.receipt_of(layer) is not None or streams.find(layer) is not None


def _has_receipt(response_id: str, provider: str | None) -> bool:
    """True when this response id has a receipt of that provider, under whatever name a patch knows.

    Two answers with one id but different providers are two: self-hosted servers give out such ids.
    """
    if identity.receipt_of_response_id(response_id, provider) is not None:
        return True
    return provider is not None and any(
        (other, response_id) not in _recorded and _may_be_one(provider, other)
        for other in identity.providers_of(response_id)
    )


def _may_be_one(said: str, known: str) -> bool:
    """True when the caller's name and the patch's can stand for one provider of one call.

    The caller often names the SDK or the maker of the model, the patch who invoices.
    """
    return (
        known == UNMAPPED
        # The SDK with which most hosts are called.
        or said == "openai"
        or not _RESELLERS.isdisjoint((said, known))
    )


def usage_shape(usage: Any) -> str | None:
    """Which meaning a usage object has, by its own names; None when they tell nothing."""
    names = _names(usage)
    if names & {"promptTokenCount", "prompt_token_count"}:
        return "gemini.generate_content"
    if (
        names & {"cache_creation_input_tokens", "cache_read_input_tokens"}
        and "input_tokens" in names
    ):
        return "anthropic.messages"
    if "prompt_tokens" in names:
        details = get(usage, "prompt_tokens_details")
        folded = names & {"cache_creation_input_tokens"} or "cache_creation_tokens" in _names(
            details
        )
        return "litellm.usage" if folded else "openai.chat"
    if "input_tokens" in names:
        return (
            "openai.responses"
            if names & {"input_tokens_details", "total_tokens"}
            else "anthropic.messages"
        )
    return None


def _texts(layers: Sequence[object], names: tuple[str, ...]) -> list[str]:
    """The texts of these names, those of the first layer first."""
    return [found for layer in layers for name in names if (found := text(layer, name)) is not None]


def _usage_json(usage: Any) -> str | None:
    """The usage as JSON; of a model that was made of nothing but defaults, those."""
    told = to_json(usage)
    if told == "{}" and hasattr(usage, "model_dump"):
        defaults = usage.model_dump(mode="json", exclude_none=True, warnings=False)
        return to_json(defaults) if defaults else None
    return told


def _without_secrets(usage: str | None) -> str | None:
    """The same text, unless a value in it looks like a secret: callers hand anything over."""
    if usage is None:
        return None
    told = json.loads(usage)
    clean = _scrubbed(told)
    return usage if clean == told else to_json(clean)


def _scrubbed(value: Any) -> Any:
    # Values only: of the names, `promptTokenCount` looks to a scrubber like what a token follows.
    if isinstance(value, str):
        return value if is_harmless(value) else scrub(value)
    if isinstance(value, dict):
        return {name: _scrubbed(inner) for name, inner in value.items()}
    return [_scrubbed(inner) for inner in value] if isinstance(value, list) else value


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value)
    as_json = _usage_json(value)
    decoded = json.loads(as_json) if as_json else {}
    return set(decoded) if isinstance(decoded, dict) else set()


def _usage(answer: object) -> Any:
    found = (get(answer, name) for name in _USAGE_NAMES)
    return _opened(next((usage for usage in found if usage is not None), None))


def _layers(response: object) -> Iterator[object]:
    """The object itself and what it wraps, outermost first."""
    waiting, seen = [(response, 0)], 0
    while waiting and seen < _LAYERS:
        layer, depth = waiting.pop(0)
        seen += 1
        layer = _opened(layer)
        yield layer
        if depth < _DEPTH:
            inner = (get(layer, name) for name in _INNER)
            waiting += [(value, depth + 1) for value in inner if _may_hold_an_answer(value)]


def _opened(value: object) -> object:
    """Any mapping as a dict, and a JSON text as what it says; all else as it is."""
    if isinstance(value, (str, bytes)):
        return parsed(value) if _may_hold_an_answer(value) else value
    return dict(value) if isinstance(value, Mapping) and not isinstance(value, dict) else value


def _may_hold_an_answer(value: object) -> bool:
    if isinstance(value, (str, bytes)):
        start = value[:1]
        return start in ("{", b"{") and len(value) <= _TEXT_LIMIT
    # A named tuple may be an answer, a plain one is a list of something.
    is_list = isinstance(value, (list, tuple)) and not hasattr(value, "_fields")
    return not (value is None or is_list or isinstance(value, (int, float)) or callable(value))
