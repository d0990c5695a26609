"""Gemini on the wire: generateContent (text, tools, images), streamed too, embeddings, imagen."""

from __future__ import annotations

import json
from collections.abc import Iterator

from examples.provider_sim.answers import Answer, Bill, Frame, Headers
from examples.provider_sim.calls import Call
from examples.provider_sim.media import TINY_PNG_BASE64, vector
from examples.provider_sim.meters import gemini
from examples.provider_sim.replies import (
    cut,
    example_of,
    pieces,
    response_id,
    served_model,
    tool_to_call,
)
from examples.provider_sim.values import Json, dump, input_tokens, overlay, share, tokens_of

IMAGE_TOKENS = 1290
_TOTAL = (
    "promptTokenCount",
    "candidatesTokenCount",
    "toolUsePromptTokenCount",
    "thoughtsTokenCount",
)


def generate(call: Call) -> Answer:
    """Build the answer to :generateContent."""
    usage, bill, head = _prepared(call)
    parts = [part for step in _steps(call, usage) for part in step]
    return Answer(
        {"candidates": [_candidate(call, _joined(parts), last=True)], **_seen(call, usage), **head},
        bill=bill,
    )


def stream_generate(call: Call) -> Answer:
    """Build the answer to :streamGenerateContent?alt=sse; usage in every chunk, cumulative."""
    usage, bill, head = _prepared(call)
    frames = list(_chunks(call, _steps(call, usage), usage, head))
    # Without alt=sse the API streams one JSON array.
    if call.request.query_params.get("alt") != "sse":
        chunks = [json.loads(frame.data.removeprefix(b"data: ")) for frame in frames]
        return Answer(chunks, bill=bill)
    return Answer(frames=frames, bill=bill, error_frame=_error_frame())


def _prepared(call: Call) -> tuple[Json, Bill, Json]:
    usage = _usage(call)
    head = {"modelVersion": served_model(call), "responseId": response_id(call, "", 22)}
    tier = call.plan.tier or "standard"
    return (
        usage,
        Bill(head["modelVersion"], usage, gemini, _partial, head["responseId"], tier),
        head,
    )


def _config(call: Call) -> Json:
    return call.body.get("generationConfig") or call.body.get("generation_config") or {}


def _makes_images(call: Call) -> bool:
    wanted = _config(call).get("responseModalities") or []
    return "IMAGE" in [str(kind).upper() for kind in wanted] or (
        not wanted and "-image" in call.model
    )


def _usage(call: Call) -> Json:
    read = input_tokens(call.body)
    limit = _config(call).get("maxOutputTokens")
    made = IMAGE_TOKENS if _makes_images(call) else min(8 + read % 9, int(limit or 4096))
    wished = call.plan.usage or {}
    usage = overlay(
        {"promptTokenCount": read, "candidatesTokenCount": made, "totalTokenCount": 0}, wished
    )
    if "promptTokensDetails" not in wished:
        usage["promptTokensDetails"] = [
            {"modality": "TEXT", "tokenCount": usage["promptTokenCount"]}
        ]
    if _makes_images(call) and "candidatesTokensDetails" not in wished:
        usage["candidatesTokensDetails"] = [
            {"modality": "IMAGE", "tokenCount": usage["candidatesTokenCount"]}
        ]
    if "totalTokenCount" not in wished:
        usage["totalTokenCount"] = sum(usage.get(key) or 0 for key in _TOTAL)
    return usage


def _partial(usage: Json, done: int, of: int) -> Json:
    """Return the usage after `done` of `of` chunks: prompt and thoughts whole, output in part."""
    changed: Json = {
        "candidatesTokenCount": share(usage.get("candidatesTokenCount") or 0, done, of)
    }
    # Thinking comes before the first word.
    if "thoughtsTokenCount" in usage and not done:
        changed["thoughtsTokenCount"] = 0
    details = usage.get("candidatesTokensDetails")
    if isinstance(details, list):
        changed["candidatesTokensDetails"] = [
            {**part, "tokenCount": share(part.get("tokenCount") or 0, done, of)} for part in details
        ]
    result = {**usage, **changed}
    return {**result, "totalTokenCount": sum(result.get(key) or 0 for key in _TOTAL)}


def _seen(call: Call, usage: Json) -> Json:
    if call.fault("no_usage"):
        return {}
    return {"usageMetadata": None if call.fault("null_usage") else usage}


def _steps(call: Call, usage: Json) -> list[list[Json]]:
    """Return the parts of the reply, chunk by chunk."""
    tool = _tool(call)
    if tool:
        return [[{"functionCall": {"name": tool[0], "args": tool[1]}}]]
    if _makes_images(call):
        return [[{"inlineData": {"mimeType": "image/png", "data": TINY_PNG_BASE64}}]]
    schema = _config(call).get("responseSchema") or _config(call).get("responseJsonSchema")
    if schema and call.plan.text is None:
        return [
            [{"text": part}] for part in cut(json.dumps(example_of(schema)), call.plan.chunks or 2)
        ]
    return [[{"text": word}] for word in pieces(call, usage.get("candidatesTokenCount") or 0)]


def _joined(parts: list[Json]) -> list[Json]:
    """Return the parts of a whole answer, neighbouring texts in one."""
    if all("text" in part for part in parts):
        return [{"text": "".join(part["text"] for part in parts)}]
    return parts


def _tool(call: Call) -> tuple[str, Json] | None:
    declared: list[Json] = []
    for tool in call.body.get("tools") or ():
        declared += tool.get("functionDeclarations") or tool.get("function_declarations") or []
    known = [
        (f["name"], f.get("parameters") or f.get("parametersJsonSchema") or {}) for f in declared
    ]
    turns = call.body.get("contents") or [{}]
    last = turns[-1] if isinstance(turns, list) else turns
    return tool_to_call(
        call, known, answered=any("functionResponse" in part for part in last.get("parts") or ())
    )


def _candidate(call: Call, parts: list[Json], *, last: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "SAFETY" if call.fault("filtered") else "STOP"
    return candidate


def _chunks(call: Call, steps: list[list[Json]], usage: Json, head: Json) -> Iterator[Frame]:
    for done, parts in enumerate(steps, 1):
        last = done == len(steps)
        so_far = usage if last else _partial(usage, done, len(steps))
        chunk = {"candidates": [_candidate(call, parts, last=last)], **_seen(call, so_far), **head}
        yield Frame(b"data: " + dump(chunk) + b"\r\n\r\n", done, last=last)


def _error_frame() -> bytes:
    error = {"code": 503, "message": "Simulated: the model is overloaded", "status": "UNAVAILABLE"}
    return b"data: " + dump({"error": error}) + b"\r\n\r\n"


def embed(call: Call) -> Answer:
    """Build the answer to :embedContent, :batchEmbedContents; usage from gemini-embedding-2 on."""
    requests = call.body.get("requests")
    asked: list[Json] = requests if isinstance(requests, list) else [call.body]
    read = input_tokens(call.body)
    usage = overlay({"promptTokenCount": read}, call.plan.usage)
    values = [{"values": vector(int(each.get("outputDimensionality") or 8))} for each in asked]
    body: Json = {"embeddings": values} if isinstance(requests, list) else {"embedding": values[0]}
    if call.plan.usage or "embedding-2" in call.model:
        details = [{"modality": "TEXT", "tokenCount": usage["promptTokenCount"]}]
        body |= _seen(call, {"promptTokenDetails": details, **usage})
    return Answer(body, bill=Bill(served_model(call), usage, gemini))


def predict(call: Call) -> Answer:
    """Build the answer to :predict: an imagen model draws, an embedding model (Vertex) embeds."""
    if "embedding" in call.model:
        return _predict_embeddings(call)
    count = int((call.body.get("parameters") or {}).get("sampleCount") or 1)
    usage = overlay({"images": count}, call.plan.usage)
    prediction = {"mimeType": "image/png", "bytesBase64Encoded": TINY_PNG_BASE64}
    return Answer(
        {"predictions": [prediction] * count}, bill=Bill(served_model(call), usage, gemini)
    )


def _predict_embeddings(call: Call) -> Answer:
    predictions = []
    for instance in call.body.get("instances") or ():
        read = max(1, tokens_of(str(instance.get("content") or "")))
        statistics = {"token_count": read, "truncated": False}
        predictions.append({"embeddings": {"values": vector(8), "statistics": statistics}})
    usage = overlay({"promptTokenCount": input_tokens(call.body)}, call.plan.usage)
    return Answer({"predictions": predictions}, bill=Bill(served_model(call), usage, gemini))


def count_tokens(call: Call) -> Answer:
    """Build the free answer to :countTokens."""
    read = input_tokens(call.body)
    return Answer(
        {"totalTokens": read, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": read}]}
    )


def models(call: Call) -> Answer:
    """Build the free answer to GET /v1beta/models."""
    names = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-image", "gemini-embedding-001")
    return Answer(
        {
            "models": [
                {"name": f"models/{name}", "version": "sim", "displayName": name} for name in names
            ]
        }
    )


def model_in(path: str) -> str:
    """Return the model in a path like .../models/NAME:method."""
    return path.rpartition("/")[2].partition(":")[0]


def usual_headers(call: Call) -> Headers:
    """Return the headers that every Gemini answer carries."""
    tier = (call.plan.tier or "standard").encode()
    return [
        (b"server-timing", b"gfet4t7; dur=1"),
        (b"x-gemini-service-tier", tier),
        (b"vary", b"Origin"),
    ]
