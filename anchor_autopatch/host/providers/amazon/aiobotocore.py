"""aiobotocore (aioboto3), 2.5 and later: botocore's calls and bodies once more, asynchronous."""

from __future__ import annotations

import sys
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.capture.calls import wrap_async
from anchor_autopatch.host.capture.layers import active
from anchor_autopatch.host.dependencies import watching
from anchor_autopatch.host.dependencies.botocore import AWS
from anchor_autopatch.host.providers.amazon import botocore

_NAME = "aiobotocore"
# The first is 3's body over aiohttp, the next its body over httpx, the last that of 2.
_BODIES = ("AioStreamingBody", "AioHttpxStreamingBody", "StreamingBody")


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("aiobotocore"), "__version__", None)


def patch(client: ModuleType) -> None:
    """Wraps the choke point and the readers of bodies; `client` is `aiobotocore.client`."""
    patching.replace(client.AioBaseClient, "_make_api_call", _wrap_call)
    session = sys.modules["aiobotocore.httpsession"].AIOHTTPSession
    patching.replace(session, "send", watching.quiet_async)
    endpoint = sys.modules["aiobotocore.endpoint"]
    patching.replace(endpoint, "convert_to_response_dict", _wrap_convert)
    responses = sys.modules["aiobotocore.response"]
    for name in _BODIES:
        body = vars(responses).get(name)
        if body is not None:
            for reader in ("read", "readinto"):
                patching.replace_if_present(body, reader, _wrap_read)
            patching.replace_if_present(body, "close", _wrap_close)
    events = sys.modules["aiobotocore.eventstream"].AioEventStream
    patching.replace(events, "_parse_event", _wrap_parse_event)
    patching.replace(events, "__anext__", _wrap_events)


def _wrap_call(original: Any) -> Any:
    # Below a provider call, whose failures are its own.
    return wrap_async(botocore.Adapter(_NAME))(watching.wrap_async(AWS(_NAME))(original))


def _wrap_convert(original: Any) -> Any:
    @wraps(original)
    async def convert_to_response_dict(*args: Any, **kwargs: Any) -> Any:
        response = await original(*args, **kwargs)
        call = active.get()
        if call is not None and call.target == _NAME:
            # The parser drops what its service model does not know.
            call.answer = response
        return response

    return convert_to_response_dict


def _wrap_read(original: Any) -> Any:
    @wraps(original)
    async def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = streams.find(self)
        if call is None:
            return await original(self, *args, **kwargs)
        try:
            part = await original(self, *args, **kwargs)
        except BaseException as error:
            botocore.broke(self, call, error)
            raise
        botocore.take(self, call, part, args, kwargs)
        return part

    return read


def _wrap_close(original: Any) -> Any:
    @wraps(original)
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            streams.leave_response(self)

    return close


def _wrap_parse_event(original: Any) -> Any:
    @wraps(original)
    async def _parse_event(self: Any, event: Any) -> Any:
        call = streams.find(self)
        if call is not None:
            botocore.note_payload(call, event)
        return await original(self, event)

    return _parse_event


def _wrap_events(original: Any) -> Any:
    # The SDK's `__aiter__` gives out what this async generator function makes.
    @wraps(original)
    def __anext__(self: Any) -> Any:  # noqa: N807 - the SDK's own name
        return streams.AsyncChunks(original(self), self)

    return __anext__
