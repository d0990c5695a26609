"""Where Speakeasy's SDKs try again: `utils.retries`, which they import at their first such call."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from anchor_autopatch.host import attempts, patching
from anchor_autopatch.host.providers import speakeasy


def version() -> str | None:
    """None: whether this SDK is patched at all is decided at its choke point."""
    return None


def patch(retries: ModuleType) -> None:
    """Wraps what works out the wait before the next try; `retries` is the SDK's module."""
    name = "mistralai" if retries.__name__.startswith("mistralai.") else "google-genai"
    again = attempts.before_retry(name, _errors_of(name))
    patching.replace_if_present(retries, "_get_sleep_interval", again)


def _errors_of(name: str) -> Any:
    def error_of(found: Exception, *_args: Any, **_kwargs: Any) -> BaseException:
        # A refusal comes as `TemporaryError` around the response, which says nothing itself.
        response = getattr(found, "response", None)
        family = speakeasy.families.get(name)
        return found if response is None or family is None else family.error(response)

    return error_of
