"""The Mistral SDK, 1.0 and later: every call goes through `BaseSDK.do_request`.

Version 1 has its modules one folder higher than 2 and 3, and each has a copy of its client for
Azure and one for Google Cloud, with a base class, paths and an invoicing provider of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from anchor_autopatch.host.capture.calls import Seen
from anchor_autopatch.host.capture.sites import Site, host_of, site
from anchor_autopatch.host.providers.answers import is_read
from anchor_autopatch.host.providers.mistral import objects as mistral_objects
from anchor_autopatch.host.providers.objects import Request
from anchor_autopatch.host.providers.reading import get, text, to_json
from anchor_autopatch.host.providers.speakeasy import sdk as speakeasy
from anchor_autopatch.host.providers.tap import parsed

OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/agents/completions": "chat",
    "/v1/fim/completions": "text_completion",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/ocr": "ocr",
    "/v1/audio/transcriptions": "transcription",
    "/v1/audio/speech": "speech",
    "/v1/moderations": "moderation",
    "/v1/chat/moderations": "moderation",
    "/v1/classifications": "classification",
    "/v1/chat/classifications": "classification",
    # Held by a browser or a telephone: opened here, and told of by nobody. The receipt says so.
    "/v1/client/sessions": "realtime_session",
    "/v1/audio/sessions": "voice_session",
}
_CONVERSATION = re.compile(r"/v1/conversations(?:/[^/]+)?(?:/restart)?")
# By the last part of the path: before it stands what the deployment is called.
CLOUD_OPERATIONS = {
    "completions": "chat",
    "ocr": "ocr",
    "rawPredict": "chat",
    "streamRawPredict": "chat",
    "rawPredict#fim": "text_completion",
    "streamRawPredict#fim": "text_completion",
}


def version() -> str | None:
    """The imported SDK's version."""
    loaded = (sys.modules.get(f"{root}._version") for root in CLIENTS)
    return next((module.__version__ for module in loaded if module is not None), None)


def patch(basesdk: ModuleType) -> None:
    """Wraps the choke points; `basesdk` is the module of that name of one of the clients."""
    family = family_of(basesdk.__name__.rpartition(".")[0])
    speakeasy.patch(family, basesdk.BaseSDK, basesdk.BaseSDK)


def read_request(_operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """How long a text is that is to be spoken."""
    spoken = body.get("input")
    return {"characters": len(spoken)} if isinstance(spoken, str) else None


def read_usage(operation: str, answer: dict[str, Any]) -> Seen:
    """Usage of an answer or of an event; pages of a document instead of tokens."""
    # Conversation events have usage beside their type, responses events below `response`.
    holder = answer.get("response") if isinstance(answer.get("response"), dict) else answer
    usage = get(holder, "usage")
    pages = get(get(holder, "usage_info"), "pages_processed")
    shape = "openai.responses" if operation == "responses" else "openai.chat"
    return Seen(
        to_json(usage),
        shape if usage else None,
        text(holder, "model"),
        text(holder, "id"),
        {"pages": pages} if isinstance(pages, int) else None,
    )


def _operation(method: str, path: str) -> str | None:
    if method != "POST":
        return None
    found = OPERATIONS.get(path)
    return "chat" if found is None and _CONVERSATION.fullmatch(path) else found


def cloud_operation(method: str, path: str) -> str | None:
    """The operation of a request of the clients for Azure and Google Cloud."""
    return CLOUD_OPERATIONS.get(path.rpartition("/")[2]) if method == "POST" else None


def _no_object(_method: str, _path: str) -> None:
    return


def _unfinished(_answer: dict[str, Any]) -> bool:
    return False


class SDKError(Exception):
    """A refusal in the shape of the SDK's error of that name, which it imports only to raise it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("message") or f"Status {status}")
        self.status_code = status
        self.body = body


def _error(response: Any) -> Exception:
    # A refused stream is read some lines later.
    body = parsed(response.content) if is_read(response) else {}
    return SDKError(response.status_code, body)


class _Client(NamedTuple):
    """One of the clients that a distribution holds."""

    provider: str
    operation: Callable[[str, str], str | None]
    object_request: Callable[[str, str], Request | None]
    key_tells: bool
    """False where the key is a token that expires: it does not say who pays."""


_PLAIN = _Client("mistral", _operation, mistral_objects.request, True)
_AZURE = _Client("azure_ai", cloud_operation, _no_object, True)
_GCP = _Client("vertex_ai", cloud_operation, _no_object, False)
CLIENTS = {
    "mistralai.client": _PLAIN,
    "mistralai": _PLAIN,
    "mistralai.azure.client": _AZURE,
    "mistralai_azure": _AZURE,
    "mistralai.gcp.client": _GCP,
    "mistralai_gcp": _GCP,
}
"""Package that holds `basesdk` -> whose client it is."""


def family_of(root: str) -> speakeasy.Family:
    """What `speakeasy` is told of one client."""
    client = CLIENTS[root]

    def site_of(request: Any) -> Site:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = given or request.headers.get("api-key")
        return site(client.provider, host_of(request.url), key if client.key_tells else None)

    return speakeasy.Family(
        name="mistralai",
        operation=client.operation,
        object_request=client.object_request,
        site=site_of,
        request_facts=read_request,
        facts_of=("speech",),
        read_usage=read_usage,
        unfinished=_unfinished,
        error=_error,
        request_id_header="mistral-correlation-id",
        events=f"{root}.utils.eventstreaming",
        streams=("EventStream", "EventStreamAsync"),
        read_objects=mistral_objects.read,
    )


FAMILY = family_of("mistralai.client")
