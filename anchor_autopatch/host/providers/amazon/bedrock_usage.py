"""Usage in Bedrock's answers: Converse has its own, InvokeModel hands out each model's native body.

Source: botocore 1.44.5 service models and recorded answers of every model family, read 2026-11.
"""

from __future__ import annotations

import json
from typing import Any

from anchor_autopatch.host.capture.calls import NOTHING, Seen
from anchor_autopatch.host.capture.evidence import Counts
from anchor_autopatch.host.providers.reading import get, text, to_json

CONVERSE = "bedrock.converse"
INVOKE = "bedrock.invoke"
_TITAN = "bedrock.titan"
_LLAMA = "bedrock.llama"
_GUARDRAIL = "bedrock.guardrail"
_AGENT = "bedrock.agent"
_COHERE = "cohere.billed_units"
_HEADERS = "x-amzn-bedrock-"
_COUNT = "-count"
_METRICS = "amazon-bedrock-invocationMetrics"
# One of these stands in every chunk that tells usage; the others are not parsed.
_MARKS = (b"okenCount", b"oken_count", b"sage", b"billed_units", b"nvocationMetrics")


def request_facts(params: dict[str, Any]) -> dict[str, object] | None:
    """Tier and latency that were asked for, and how many images an InvokeModel body wants."""
    tier = params.get("serviceTier")
    latency = get(params.get("performanceConfig"), "latency") or params.get(
        "performanceConfigLatency"
    )
    found = {
        "service_tier": get(tier, "type") if isinstance(tier, dict) else tier,
        "latency": latency,
    }
    return {name: value for name, value in found.items() if isinstance(value, str)} or None


def answer(operation: str, result: dict[str, Any], body: Any) -> Seen:
    """What a plain answer tells.

    Args:
        operation: As on the receipt.
        result: The parsed answer.
        body: The answer on the wire, where it was seen: it keeps what the parser does not know.
    """
    wire = _parsed(body) if isinstance(body, (bytes, str)) else {}
    usage = wire.get("usage") or result.get("usage")
    if not isinstance(usage, dict):
        return NOTHING
    shape = _GUARDRAIL if operation == "guardrail" else CONVERSE
    return Seen(to_json(usage), shape, _routed_model(result), facts=_answer_facts(result))


class BodyReader:
    """The body of InvokeModel as the application reads it; headers count where it has no usage."""

    def __init__(self, result: dict[str, Any], headers: dict[str, str]) -> None:
        self.begun = True
        self._parts: list[bytes] = []
        self._facts = _answer_facts(result)
        self._from_headers = _header_usage(headers)
        length = headers.get("content-length", "")
        self._missing = int(length) if length.isdigit() else None
        self._seen: Seen | None = None

    def feed(self, part: bytes) -> bool:
        """Keeps what was read until the body is whole."""
        self._parts.append(part)
        if self._missing is not None:
            self._missing -= len(part)
        return False

    def whole(self) -> bool:
        """True when as many bytes have been read as the headers announced."""
        return self._missing is not None and self._missing <= 0

    def seen(self) -> Seen:
        """The model's own usage, else that of the headers."""
        if self._seen is None:
            body = _parsed(b"".join(self._parts)) if self._parts else {}
            self._parts.clear()
            found = native(body)
            usage = found.raw_usage or self._from_headers
            facts = {**(self._facts or {}), **(found.facts or {})}
            self._seen = found._replace(
                raw_usage=usage,
                shape=found.shape or (INVOKE if usage else None),
                facts=facts or None,
            )
        return self._seen

    def complete(self) -> bool:
        """True when there is something to bill by, of the body or of the headers."""
        seen = self.seen()
        return seen.raw_usage is not None or seen.facts is not None


class EventReader(Counts):
    """Events of ConverseStream, InvokeModelWithResponseStream and the agents."""

    def __init__(self, operation: str) -> None:
        self.begun = False
        self._operation = operation
        self._usage: dict[str, Any] | None = None
        self._shape: str | None = None
        self._wire: dict[str, Any] | None = None
        self._facts: dict[str, object] = {}
        self._model: str | None = None
        self._id: str | None = None
        self._invocations: list[dict[str, Any]] = []
        self._ended = False

    def note_wire(self, metadata: dict[str, Any]) -> None:
        """Keeps the metadata event as it was on the wire."""
        self._wire = metadata

    def feed(self, event: Any) -> bool:
        """Notes usage; nothing is ever hidden."""
        self.begun = True
        if "contentBlockDelta" in event:
            self._count(event["contentBlockDelta"].get("delta") or {})
        elif "chunk" in event:
            self.chunks += 1
            part = event["chunk"].get("bytes", b"")
            if any(mark in part for mark in _MARKS):
                self._note_native(_parsed(part))
        elif "metadata" in event:
            self._note_metadata(event["metadata"])
        elif "trace" in event:
            self._note_trace(event["trace"])
        elif "messageStop" in event:
            self._ended = True
        return False

    def _count(self, delta: dict[str, Any]) -> None:
        words = delta.get("text") or get(delta.get("toolUse"), "input")
        words = words or get(delta.get("reasoningContent"), "text")
        if words:
            self.characters += len(words)
            self.chunks += 1

    def _note_metadata(self, metadata: dict[str, Any]) -> None:
        usage = get(self._wire, "usage") or metadata.get("usage")
        if isinstance(usage, dict):
            self._usage, self._shape, self._ended = usage, CONVERSE, True
        self._facts |= _answer_facts(metadata) or {}
        self._model = _routed_model(metadata) or self._model

    def _note_native(self, chunk: dict[str, Any]) -> None:
        message = chunk.get("message")
        found = native(message if isinstance(message, dict) else chunk)
        self._facts |= found.facts or {}
        self._id = self._id or found.response_id
        metrics = chunk.get(_METRICS)
        # Many last chunks have both: Bedrock's own counts hold, but Cohere says what it bills.
        if isinstance(metrics, dict) and found.shape != _COHERE:
            self._usage, self._shape = metrics, INVOKE
        elif found.raw_usage is not None:
            self._usage, self._shape = json.loads(found.raw_usage), found.shape
        self._ended = self._ended or isinstance(metrics, dict)

    def _note_trace(self, event: dict[str, Any]) -> None:
        for step in _walk(event.get("trace")):
            usage = get(get(step.get("modelInvocationOutput"), "metadata"), "usage")
            if isinstance(usage, dict):
                self._invocations.append(usage)
            model = get(step.get("modelInvocationInput"), "foundationModel")
            self._model = model if isinstance(model, str) else self._model

    def seen(self) -> Seen:
        """The last usage; an agent's model calls are listed one by one."""
        usage, shape = self._usage, self._shape
        if usage is None and self._invocations:
            usage, shape = {"modelInvocations": self._invocations}, _AGENT
        return Seen(
            to_json(usage),
            shape,
            self._model,
            self._id,
            self._facts or None,
            source="provider" if self.complete() else "partial",
        )

    def complete(self) -> bool:
        """True when the event that ends a stream has arrived."""
        return self._ended or bool(self._invocations)


def native(body: dict[str, Any]) -> Seen:
    """What the body of a model tells in the model's own words; counts only, never its text."""
    images = body.get("images")
    found = Seen(
        response_id=text(body, "id") if "usage" in body else None,
        facts={"images": len(images)} if isinstance(images, list) else None,
    )
    usage = body.get("usage") or get(body.get("metadata"), "usage")
    if isinstance(usage, dict):
        lifetimes = usage.get("cache_creation")
        facts = {"cache_creation": lifetimes} if isinstance(lifetimes, dict) else {}
        return found._replace(
            raw_usage=to_json(usage),
            shape=_shape(usage),
            facts={**facts, **(found.facts or {})} or None,
        )
    billed = body.get("meta") or get(body.get("response"), "meta")
    if isinstance(billed, dict) and "billed_units" in billed:
        return found._replace(raw_usage=to_json(billed), shape=_COHERE)
    counts, shape = _counts(body)
    return found._replace(raw_usage=to_json(counts), shape=shape) if counts else found


def _counts(body: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    llama = {
        name: body[name]
        for name in ("prompt_token_count", "generation_token_count")
        if body.get(name) is not None
    }
    if llama:
        return llama, _LLAMA
    titan = {
        name: body[name]
        for name in ("inputTextTokenCount", "totalOutputTextTokenCount")
        if body.get(name) is not None
    }
    results = body.get("results")
    if titan and isinstance(results, list):
        titan["results"] = [{"tokenCount": get(result, "tokenCount")} for result in results]
    return (titan, _TITAN) if titan else (None, None)


def _shape(usage: dict[str, Any]) -> str | None:
    if "inputTokens" in usage or "outputTokens" in usage:
        return CONVERSE
    if "prompt_tokens" in usage:
        return "openai.chat"
    return "anthropic.messages" if "input_tokens" in usage or "output_tokens" in usage else None


def _header_usage(headers: dict[str, str]) -> str | None:
    counts = {
        name: int(value)
        for name, value in headers.items()
        if name.startswith(_HEADERS) and name.endswith(_COUNT) and value.isdigit()
    }
    return to_json(counts) if counts else None


def _answer_facts(result: dict[str, Any]) -> dict[str, object] | None:
    tier = result.get("serviceTier")
    latency = get(result.get("performanceConfig"), "latency") or result.get(
        "performanceConfigLatency"
    )
    found = {
        "service_tier": get(tier, "type") if isinstance(tier, dict) else tier,
        "latency": latency,
    }
    return {name: value for name, value in found.items() if isinstance(value, str)} or None


def _routed_model(result: dict[str, Any]) -> str | None:
    """The model that a prompt router chose: that one is billed."""
    return text(get(get(result, "trace"), "promptRouter"), "invokedModelId")


def _walk(value: Any) -> list[dict[str, Any]]:
    """All objects inside of a trace, at most four levels down, where model calls are told."""
    found, waiting = [], [(value, 0)]
    while waiting:
        part, depth = waiting.pop(0)
        if isinstance(part, dict):
            found.append(part)
            if depth < 4:  # noqa: PLR2004 - trace -> kind -> step -> model call
                waiting += [(inner, depth + 1) for inner in part.values()]
    return found


def _parsed(body: bytes | str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
