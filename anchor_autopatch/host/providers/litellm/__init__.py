"""LiteLLM: a layer over other SDKs, over plain HTTP, or over nothing at all (mocks, its cache).

Every public function passes through its decorator `client`, and every chat stream through one
class. Where LiteLLM calls another SDK, that SDK's patch writes the receipt; where it speaks HTTP by
itself (anthropic, gemini, bedrock, responses, ...), the HTTP client's does, since it sees the
provider's own words; this layer adds its name and who the provider is. Only a request that neither
knows (a path outside the providers' dialects) leaves a receipt that is read from LiteLLM's answer.
"""

from __future__ import annotations

import sys
from types import ModuleType

from anchor_autopatch.host import patching
from anchor_autopatch.host.providers.litellm import functions, streams
from anchor_autopatch.host.providers.litellm.functions import LAYERS, OPERATIONS, ask, operation
from anchor_autopatch.host.providers.litellm.reading import read_request, read_usage

__all__ = (
    "LAYERS",
    "OPERATIONS",
    "ask",
    "operation",
    "patch",
    "read_request",
    "read_usage",
    "version",
)


def version() -> str | None:
    """The installed version; LiteLLM keeps it only in its package metadata."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("litellm")
    except PackageNotFoundError:
        return None


def patch(utils: ModuleType) -> None:
    """Wraps the decorator (before `litellm.main` uses it) and the stream class.

    `utils` is `litellm.utils`.
    """
    patching.replace(utils, "client", functions.wrap_decorator)
    handler = sys.modules.get("litellm.litellm_core_utils.streaming_handler")
    wrapper = getattr(handler, "CustomStreamWrapper", None) or getattr(
        utils, "CustomStreamWrapper", None
    )
    if wrapper is None:
        raise patching.NotPatchableError("litellm.utils has no CustomStreamWrapper")
    patching.replace(wrapper, "__next__", streams.wrap_next)
    patching.replace(wrapper, "__anext__", streams.wrap_anext)
    main = sys.modules.get("litellm.main")
    if main is not None:
        functions.patch_late(main)
