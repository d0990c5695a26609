"""The Google Gen AI SDK: content, functions, embeddings, images, interactions."""

from __future__ import annotations

import importlib
import ssl
from contextlib import suppress
from typing import Any
from unittest import mock

from google import genai
from google.genai import version

from tests.sdk.transparency.answering import Answer, as_events, as_json, lost, never
from tests.sdk.transparency.performing import OverHttp, Play, Step

with suppress(ImportError):
    # Renames the SDK's exceptions: they must have the same names here as in a bare process.
    importlib.import_module("google.genai._interactions")

USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}


def content(*parts: Any, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r-1", **more}


TEXT = content({"text": "Hello"}, usageMetadata=USAGE)
CALL = content({"functionCall": {"name": "weather", "args": {"city": "Rome"}}}, usageMetadata=USAGE)
FIRST = {"candidates": [{"content": {"role": "model", "parts": [{"text": "He"}]}}]}
REFUSED = as_json(
    {"error": {"code": 429, "message": "too many", "status": "RESOURCE_EXHAUSTED"}}, 429
)
FAILED = as_json({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}, 500)
STREAM = as_events(FIRST, TEXT)
INTERACTION = {
    "id": "int-1",
    "object": "interaction",
    "model": "gemini-x",
    "status": "completed",
    "created": "2026-01-01T00:00:00Z",
    "updated": "2026-01-01T00:00:00Z",
    "outputs": [{"type": "text", "text": "hello"}],
    "usage": {"total_input_tokens": 10, "total_output_tokens": 5, "total_tokens": 15},
}
INTERACTION_EVENTS = as_events(
    {"event_type": "interaction.created", "interaction": {**INTERACTION, "usage": None}},
    {"event_type": "interaction.completed", "interaction": INTERACTION},
)


# A client loads the machine's certificates twice, 0.06 s, for connections that are never made.
_TLS = ssl.create_default_context()


def _client(http: Any, later: Any, **more: Any) -> Any:
    options = genai.types.HttpOptions(httpx_client=http, httpx_async_client=later)
    with mock.patch.object(ssl, "create_default_context", return_value=_TLS):
        return genai.Client(api_key="k", http_options=options, **more)


def ask(client: Any) -> Any:
    return client.models.generate_content(model="gemini-x", contents="Hi")


async def aask(client: Any) -> Any:
    return await client.aio.models.generate_content(model="gemini-x", contents="Hi")


def stream(client: Any) -> Any:
    return list(client.models.generate_content_stream(model="gemini-x", contents="Hi"))


def stream_left(client: Any) -> Any:
    steps = client.models.generate_content_stream(model="gemini-x", contents="Hi")
    first = next(steps)
    steps.close()
    return first, list(steps)


async def astream(client: Any) -> Any:
    start = client.aio.models.generate_content_stream
    return [chunk async for chunk in await start(model="gemini-x", contents="Hi")]


async def astream_left(client: Any) -> Any:
    steps = await client.aio.models.generate_content_stream(model="gemini-x", contents="Hi")
    first = await anext(steps)
    await steps.aclose()
    return first, [chunk async for chunk in steps]


def functions(client: Any) -> Any:
    def weather(city: str) -> str:
        """Tells the weather."""
        return f"sunny in {city}"

    given = {"tools": [weather]}
    return client.models.generate_content(model="gemini-x", contents="Hi", config=given)


def images(client: Any) -> Any:
    api = client._api_client
    vertex = _client(api._httpx_client, api._async_httpx_client, vertexai=True)
    return vertex.models.generate_images(model="imagen-4", prompt="a cat")


def interact(client: Any) -> Any:
    return client.interactions.create(model="gemini-x", input="Hi")


def interact_stream(client: Any) -> Any:
    return list(client.interactions.create(model="gemini-x", input="Hi", stream=True))


def interact_stream_left(client: Any) -> Any:
    with client.interactions.create(model="gemini-x", input="Hi", stream=True) as events:
        return next(iter(events))


async def ainteract(client: Any) -> Any:
    return await client.aio.interactions.create(model="gemini-x", input="Hi")


async def ainteract_stream(client: Any) -> Any:
    events = await client.aio.interactions.create(model="gemini-x", input="Hi", stream=True)
    return [event async for event in events]


async def ainteract_stream_left(client: Any) -> Any:
    async with await client.aio.interactions.create(
        model="gemini-x", input="Hi", stream=True
    ) as events:
        return await anext(aiter(events))


def fetch(client: Any) -> Any:
    return client.interactions.get("int-1")


ANSWERS = {
    "plain": as_json(TEXT),
    "refused": REFUSED,
    "failed": FAILED,
    "unreachable": lost("ConnectError"),
    "timed out": lost("ReadTimeout"),
    "broken body": Answer(200, (b'{"candidates": [',)),
    "empty body": Answer(200),
}
STREAMS = {
    "": STREAM,
    " cut": as_events(FIRST, TEXT, breaks="ReadError"),
    " refused": REFUSED,
}
EMBEDDED = as_json({"embeddings": [{"values": [0.5]}]})
PREDICTED = as_json({"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}]})
BATCH = as_json({"name": "batches/1", "metadata": {"state": "BATCH_STATE_PENDING"}})
CACHE = as_json({"name": "cachedContents/1", "model": "models/gemini-x"})

STEPS: dict[str, Step] = {
    **{name: Step(ask, (answer,)) for name, answer in ANSWERS.items()},
    **{f"async {name}": Step(aask, (answer,)) for name, answer in ANSWERS.items()},
    "async cancelled": Step(aask, (never(),)),
    **{f"stream{name}": Step(stream, (answer,)) for name, answer in STREAMS.items()},
    **{f"async stream{name}": Step(astream, (answer,)) for name, answer in STREAMS.items()},
    "stream left": Step(stream_left, (STREAM,)),
    "async stream left": Step(astream_left, (STREAM,)),
    "functions": Step(functions, (as_json(CALL), as_json(TEXT))),
    "embeddings": Step(
        lambda client: client.models.embed_content(model="e", contents="Hi"), (EMBEDDED,)
    ),
    "images": Step(images, (PREDICTED,)),
    "cache": Step(lambda client: client.caches.create(model="gemini-x"), (CACHE,)),
    "tokens": Step(
        lambda client: client.models.count_tokens(model="gemini-x", contents="Hi"),
        (as_json({"totalTokens": 5}),),
    ),
    "batch": Step(lambda client: client.batches.get(name="batches/1"), (BATCH,)),
}
LATER = tuple(map(int, version.__version__.split(".")[:1])) >= (2,)
if LATER:
    WHOLE = {"": as_json(INTERACTION), " refused": REFUSED, " unreachable": lost("ConnectError")}
    STEPS |= {
        **{f"interaction{name}": Step(interact, (answer,)) for name, answer in WHOLE.items()},
        **{f"async interaction{n}": Step(ainteract, (answer,)) for n, answer in WHOLE.items()},
        "interaction stream": Step(interact_stream, (INTERACTION_EVENTS,)),
        "interaction stream left": Step(interact_stream_left, (INTERACTION_EVENTS,)),
        "async interaction stream": Step(ainteract_stream, (INTERACTION_EVENTS,)),
        "async interaction stream left": Step(ainteract_stream_left, (INTERACTION_EVENTS,)),
        "interaction fetched": Step(fetch, (as_json(INTERACTION),)),
    }

LIBRARY = "httpx2" if version.__version__ >= "3" else "httpx"
PLAY = Play(OverHttp(LIBRARY, _client, _client), STEPS)
