"""OpenAI embeddings, images and audio on the wire."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from examples.provider_sim.answers import Answer, Bill, Frame
from examples.provider_sim.calls import Call, form_fields
from examples.provider_sim.media import SILENCE, TINY_PNG_BASE64, packed, vector
from examples.provider_sim.meters import openai_audio, openai_image, openai_speech, openai_tokens
from examples.provider_sim.openai_common import seen_usage, usage_of
from examples.provider_sim.replies import pieces, served_model
from examples.provider_sim.values import Json, dump, input_tokens, overlay, tokens_of

IMAGE_TOKENS = 272
SPEECH_TOKENS_PER_WORD = 5
HEARD_SECONDS = 3
_AUDIO_TYPES = {
    "wav": b"audio/wav",
    "mp3": b"audio/mpeg",
    "opus": b"audio/opus",
    "aac": b"audio/aac",
}


def embeddings(call: Call) -> Answer:
    """Build the answer to POST /v1/embeddings."""
    read = input_tokens(call.body)
    usage = usage_of(call, {"prompt_tokens": read, "total_tokens": read})
    asked = call.body.get("input")
    several = isinstance(asked, list) and bool(asked) and not isinstance(asked[0], int)
    values = vector(int(call.body.get("dimensions") or 8))
    encoded = packed(values) if call.body.get("encoding_format") == "base64" else values
    data = [
        {"object": "embedding", "index": i, "embedding": encoded}
        for i in range(len(asked) if several and isinstance(asked, list) else 1)
    ]
    model = served_model(call)
    body = {"object": "list", "data": data, "model": model, **seen_usage(call, usage)}
    return Answer(body, bill=Bill(model, usage, openai_tokens))


def images(call: Call) -> Answer:
    """Build the answer to POST /v1/images/generations, /edits and /variations."""
    asked = {**form_fields(call, "n", "size", "quality", "stream", "prompt"), **call.body}
    count = int(asked.get("n") or 1)
    model = served_model(call) or "dall-e-2"
    usage = _image_usage(call, model, str(asked.get("prompt") or ""), count)
    bill = Bill(model, usage, openai_image)
    if str(asked.get("stream")).lower() == "true":
        operation = "image_edit" if call.path.endswith("edits") else "image_generation"
        return Answer(frames=list(_image_events(call, operation, asked, usage)), bill=bill)
    picture = {"b64_json": TINY_PNG_BASE64}
    if not _reports_tokens(model):
        return Answer({"created": call.created, "data": [picture] * count}, bill=bill)
    details = {
        "background": "opaque",
        "output_format": "png",
        "quality": _or_default(asked.get("quality"), "high"),
        "size": _or_default(asked.get("size"), "1024x1024"),
    }
    data = [picture] * count
    return Answer(
        {"created": call.created, "data": data, **details, **seen_usage(call, usage)}, bill=bill
    )


def _reports_tokens(model: str) -> bool:
    return not model.startswith("dall-e")


def _or_default(value: object, default: str) -> str:
    return str(value) if value and value != "auto" else default


def _image_usage(call: Call, model: str, prompt: str, count: int) -> Json:
    if not _reports_tokens(model):
        return overlay({"images": count}, call.plan.usage)
    read = max(1, tokens_of(prompt))
    default = {
        "input_tokens": read,
        "input_tokens_details": {"text_tokens": read, "image_tokens": 0},
        "output_tokens": IMAGE_TOKENS * count,
        "total_tokens": read + IMAGE_TOKENS * count,
    }
    usage = usage_of(call, default)
    if "input_tokens_details" not in (call.plan.usage or {}):
        usage["input_tokens_details"] = {"text_tokens": usage["input_tokens"], "image_tokens": 0}
    return usage


def _image_events(call: Call, operation: str, asked: Json, usage: Json) -> Iterator[Frame]:
    picture = {
        "b64_json": TINY_PNG_BASE64,
        "background": "opaque",
        "created_at": call.created,
        "output_format": "png",
        "quality": _or_default(asked.get("quality"), "high"),
        "size": _or_default(asked.get("size"), "1024x1024"),
    }
    drafts = int(asked.get("partial_images") or 0)
    for index in range(drafts):
        kind = f"{operation}.partial_image"
        yield Frame(_sse(kind, {**picture, "partial_image_index": index}), index + 1)
    yield Frame(
        _sse(f"{operation}.completed", {**picture, **seen_usage(call, usage)}),
        drafts + 1,
        last=True,
    )


def _sse(kind: str, values: Json) -> bytes:
    return f"event: {kind}\ndata: ".encode() + dump({"type": kind, **values}) + b"\n\n"


def speech(call: Call) -> Answer:
    """Build the answer to POST /v1/audio/speech: silence; with usage for stream_format=sse."""
    text = str(call.body.get("input") or "")
    model = served_model(call)
    if model.startswith("tts-1"):
        usage = overlay({"characters": len(text)}, call.plan.usage)
        bill = Bill(model, usage, openai_audio)
    else:
        made = SPEECH_TOKENS_PER_WORD * max(1, len(text.split()))
        read = max(1, tokens_of(text))
        default = {"input_tokens": read, "output_tokens": made, "total_tokens": read + made}
        usage = usage_of(call, default)
        bill = Bill(model, usage, openai_speech)
    if call.body.get("stream_format") == "sse":
        return Answer(frames=list(_speech_events(call, usage)), bill=bill)
    kind = _AUDIO_TYPES.get(str(call.body.get("response_format") or "mp3"), b"audio/mpeg")
    return Answer(SILENCE, content_type=(b"content-type", kind), bill=bill)


def _speech_events(call: Call, usage: Json) -> Iterator[Frame]:
    half = len(SILENCE) // 2
    for done, sound in enumerate((SILENCE[:half], SILENCE[half:]), 1):
        audio = base64.b64encode(sound).decode()
        yield Frame(
            b"data: " + dump({"type": "speech.audio.delta", "audio": audio}) + b"\n\n", done
        )
    last = {"type": "speech.audio.done", **seen_usage(call, usage)}
    yield Frame(b"data: " + dump(last) + b"\n\n", 2, last=True)


def transcriptions(call: Call) -> Answer:
    """Build the answer to POST /v1/audio/transcriptions, in every response format and streamed."""
    asked = form_fields(call, "response_format", "stream")
    model = served_model(call)
    words = pieces(call, 6)
    text = "".join(words)
    usage = _heard_usage(call, model)
    bill = Bill(model, usage, openai_audio)
    if asked.get("stream", "").lower() == "true":
        return Answer(frames=list(_heard_events(call, words, usage)), bill=bill)
    wanted = asked.get("response_format", "json")
    if wanted in ("text", "srt", "vtt"):
        return Answer(
            _subtitled(text, wanted), content_type=(b"content-type", b"text/plain"), bill=bill
        )
    body: Json = {"text": text}
    if wanted == "verbose_json":
        body |= {
            "task": "transcribe",
            "language": "english",
            "duration": float(HEARD_SECONDS),
            "segments": [],
        }
    return Answer({**body, **seen_usage(call, usage)}, bill=bill)


def _heard_usage(call: Call, model: str) -> Json:
    if model.startswith("whisper"):
        return overlay({"type": "duration", "seconds": HEARD_SECONDS}, call.plan.usage)
    heard = HEARD_SECONDS * 10
    default = {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": 6,
        "total_tokens": heard + 6,
    }
    usage = usage_of(call, default)
    wished = call.plan.usage or {}
    if "input_tokens" in wished and "input_token_details" not in wished:
        usage["input_token_details"] = {"text_tokens": 0, "audio_tokens": usage["input_tokens"]}
    return usage


def _heard_events(call: Call, words: list[str], usage: Json) -> Iterator[Frame]:
    for done, word in enumerate(words, 1):
        yield Frame(
            b"data: " + dump({"type": "transcript.text.delta", "delta": word}) + b"\n\n", done
        )
    last = {"type": "transcript.text.done", "text": "".join(words), **seen_usage(call, usage)}
    yield Frame(b"data: " + dump(last) + b"\n\n", len(words), last=True)
    yield Frame(b"data: [DONE]\n\n", len(words))


def _subtitled(text: str, wanted: str) -> bytes:
    if wanted == "srt":
        return f"1\n00:00:00,000 --> 00:00:03,000\n{text}\n".encode()
    if wanted == "vtt":
        return f"WEBVTT\n\n00:00:00.000 --> 00:00:03.000\n{text}\n".encode()
    return f"{text}\n".encode()


def translations(call: Call) -> Answer:
    """Build the answer to POST /v1/audio/translations: text only, billed by the second."""
    usage = overlay({"type": "duration", "seconds": HEARD_SECONDS}, call.plan.usage)
    text = "".join(pieces(call, 6))
    return Answer({"text": text}, bill=Bill(served_model(call), usage, openai_audio))
