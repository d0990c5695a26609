"""The Mistral SDK, 3.0 and later: every call goes through `BaseSDK.do_request`."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from anchor_autopatch.host.calls import Seen
from anchor_autopatch.host.providers import speakeasy
from anchor_autopatch.host.providers.reading import get, text, to_json
from anchor_autopatch.host.providers.tap import parsed
from anchor_autopatch.host.sites import Site, host_of, site

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
}
_CONVERSATION = re.compile(r"/v1/conversations(?:/[^/]+)?(?:/restart)?")


def version() -> str | None:
    """The imported SDK's version."""
    return getattr(sys.modules.get("mistralai.client._version"), "__version__", None)


def patch(basesdk: ModuleType) -> None:
    """Wraps the choke points; `basesdk` is `mistralai.client.basesdk`."""
    speakeasy.patch(FAMILY, basesdk.BaseSDK, basesdk.BaseSDK)


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


def _object_request(_method: str, _path: str) -> None:
    """Nothing: a batch job tells counts of requests, its usage stands in a file."""
    return


def _unfinished(_answer: dict[str, Any]) -> bool:
    return False


def _site(request: Any) -> Site:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return site("mistral", host_of(request.url), key or None)


def _error(response: Any) -> Exception:
    found = sys.modules.get("mistralai.client.errors.sdkerror")
    body = parsed(response.content) if hasattr(response, "_content") else {}
    message = body.get("message")
    words = message if isinstance(message, str) else f"Status {response.status_code}"
    kind = getattr(found, "SDKError", None)
    error: Exception = kind(words, response, "") if kind else RuntimeError(words)
    return error


FAMILY = speakeasy.Family(
    name="mistralai",
    operation=_operation,
    object_request=_object_request,
    site=_site,
    request_facts=read_request,
    facts_of=("speech",),
    read_usage=read_usage,
    unfinished=_unfinished,
    error=_error,
    request_id_header="mistral-correlation-id",
    events="mistralai.client.utils.eventstreaming",
    streams=("EventStream", "EventStreamAsync"),
)
