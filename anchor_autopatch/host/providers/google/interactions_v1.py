"""Google's interactions in google-genai 1.x, whose client for them Stainless' generator made."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

from anchor_autopatch.host.capture.calls import NOTHING, Seen
from anchor_autopatch.host.capture.streams import Reader
from anchor_autopatch.host.providers import stainless
from anchor_autopatch.host.providers.google.interactions import read_request
from anchor_autopatch.host.providers.google.sdk import version
from anchor_autopatch.host.providers.objects import ENDED, Object, Request
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

__all__ = ("patch", "read_request", "read_usage", "version")

_SHAPE = "gemini.interactions"
_ASKED = re.compile(r"/interactions/[^/:]+(?:/cancel)?\Z")


def patch(base_client: ModuleType) -> None:
    """Wraps the choke points; `base_client` is `google.genai._interactions._base_client`."""
    stainless.patch(FAMILY, base_client, sys.modules[f"{base_client.__package__}._streaming"])


def read_usage(_operation: str, interaction: Any) -> Seen:
    """Usage, model (or agent) and tier of an interaction."""
    usage = to_json(get(interaction, "usage"))
    return Seen(
        usage,
        _SHAPE if usage else None,
        text(interaction, "model") or text(interaction, "agent"),
        text(interaction, "id"),
        facts(interaction, "service_tier"),
    )


def _object_request(method: str, path: str) -> Request | None:
    known = method in ("GET", "POST") and _ASKED.search(path)
    return Request("interactions", path, retrieved=True) if known else None


def _read_objects(_request: Request, answer: Any) -> list[Object]:
    seen = read_usage("interactions", answer)
    if seen.response_id is None:
        return []
    status = text(answer, "status")
    return [Object(seen.response_id, status in ENDED, seen, status)]


class _EventReader:
    """Events of an interaction: the one that completes it has the interaction with its usage."""

    def __init__(self) -> None:
        self.begun = False
        self._last: Any = None
        self._complete = False

    def feed(self, chunk: Any) -> bool:
        self.begun = True
        interaction = get(chunk, "interaction")
        if interaction is not None:
            self._last = interaction
            self._complete = get(interaction, "usage") is not None
        return False

    def seen(self) -> Seen:
        return NOTHING if self._last is None else read_usage("interactions", self._last)

    def complete(self) -> bool:
        return self._complete


def _reader(_operation: str, _injected: bool) -> Reader:
    return _EventReader()


FAMILY = stainless.Family(
    name="google-genai",
    provider="gemini",
    class_providers={},
    operations={"/interactions": "interactions"},
    request_id_header="x-goog-request-id",
    request_facts=read_request,
    read_usage=read_usage,
    stream_reader=_reader,
    usage_on_request=None,
    object_request=_object_request,
    read_objects=_read_objects,
)
