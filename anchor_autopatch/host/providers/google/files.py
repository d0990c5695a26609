"""Downloads of the Google Gen AI SDK: a batch that came as a file answers in one, with usage."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.calls import Call
from anchor_autopatch.host.capture.sites import host_of, site
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers import batch_files
from anchor_autopatch.host.providers.google.sdk import version

__all__ = ("patch", "version")

_NAME = "google-genai"


def patch(files: ModuleType) -> None:
    """Wraps what downloads; `files` is `google.genai.files`."""
    patching.replace(files.Files, "download", _wrap_download)
    patching.replace(files.AsyncFiles, "download", _wrap_async_download)


def _wrap_download(original: Any) -> Any:
    @wraps(original)
    def download(self: Any, **kwargs: Any) -> Any:
        body = original(self, **kwargs)
        read(self._api_client, kwargs.get("file"), body)
        return body

    return download


def _wrap_async_download(original: Any) -> Any:
    @wraps(original)
    async def download(self: Any, **kwargs: Any) -> Any:
        body = await original(self, **kwargs)
        read(self._api_client, kwargs.get("file"), body)
        return body

    return download


@guarded(_NAME)
def read(client: Any, file: Any, body: Any) -> None:
    """Tells what a batch cost, where the file is one's output and came as bytes."""
    if _NAME in patching.off or not isinstance(body, bytes):
        return
    name = file if isinstance(file, str) else getattr(file, "name", None) or ""
    asked = batch_files.request("GET", f"/files/{name.rpartition('/')[2]}:download")
    if asked is None:
        return
    place = site(_NAME_OF_PROVIDER, host_of(client._http_options.base_url), client.api_key)
    call = Call(_NAME, "batch", None, place, stream=False)
    reader = batch_files.OutputReader(call, asked)
    reader.feed(body)
    reader.seen()


_NAME_OF_PROVIDER = "gemini"
"""Vertex AI's batches answer in a bucket of the caller's, which this never sees."""
