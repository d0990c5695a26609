"""Where Speakeasy's SDKs try again: `utils.retries`, which they import at their first such call."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture import attempts
from anchor_autopatch.host.capture.layers import open_layer
from anchor_autopatch.host.patching import guarded
from anchor_autopatch.host.providers.speakeasy import sdk as speakeasy


def version() -> str | None:
    """None: whether this SDK is patched at all is decided at its choke point."""
    return None


def patch(retries: ModuleType) -> None:
    """Wraps what works out the wait before the next try; `retries` is the SDK's module."""
    name = "mistralai" if retries.__name__.startswith("mistralai") else "google-genai"
    error_of = _errors_of(name)
    if hasattr(retries, "_get_sleep_interval"):
        again = attempts.before_retry(name, error_of)
        patching.replace(retries, "_get_sleep_interval", again)
        return
    # Earlier versions work it out in place: what they make of a refusal is noted, and told when the
    # HTTP client sends again.
    patching.replace(retries.TemporaryError, "__init__", _wrap_init(name, error_of))


def _errors_of(name: str) -> Callable[..., BaseException]:
    def error_of(found: Exception, *_args: Any, **_kwargs: Any) -> BaseException:
        # A refusal comes as `TemporaryError` around the response, which says nothing itself.
        response = getattr(found, "response", None)
        family = speakeasy.families.get(name)
        return found if response is None or family is None else family.error(response)

    return error_of


def _wrap_init(name: str, error_of: Callable[..., BaseException]) -> Callable[[Any], Any]:
    @guarded(name)
    def note(error: Exception) -> None:
        call = open_layer()
        if call is not None and call.target == name:
            attempts.lost(call, error_of(error))

    def make(original: Any) -> Any:
        @wraps(original)
        def __init__(self: Any, response: Any) -> None:  # noqa: N807 - the SDK's own name
            original(self, response)
            note(self)

        return __init__

    return make
