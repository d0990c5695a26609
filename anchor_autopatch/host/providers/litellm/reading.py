"""What LiteLLM's own objects tell: who the provider is, where it asked, what the answer used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.calls import Call, Seen
from anchor_autopatch.host.capture.sites import host_of, site
from anchor_autopatch.host.providers.reading import facts, get, text, to_json

if TYPE_CHECKING:
    from anchor_autopatch.host.clients.exchange import Exchange

NAME = "litellm"
SHAPE = "litellm.usage"


class Outer:
    """Stands in `call.reader`: what passes between a call of LiteLLM's and the HTTP client below.

    Args:
        log: LiteLLM's logging object of this call, which learns who the provider is.
    """

    def __init__(self, log: Any = None) -> None:
        self.exchange: Exchange | None = None
        """What the HTTP client reads for this call."""
        self._log = log
        self._provider: str | None = None

    def provider(self) -> str | None:
        """LiteLLM's name of the provider, once it has decided on one."""
        details = getattr(self._log, "model_call_details", None)
        return self._provider or text(details, "custom_llm_provider")

    def let_go(self) -> None:
        """Drops the logging object, which may hold the very stream whose end is waited for."""
        self._provider, self._log = self.provider(), None

    def leave(self) -> None:
        """Ends what is read below: LiteLLM reads no further, and may keep the body open."""
        if self.exchange is not None:
            self.exchange.left()


def unsent(call: Call) -> bool:
    """True when LiteLLM answered by itself (a cache, a mock, a provider of the application's own).

    The HTTP clients count what is sent; where they are not watched, nobody knows.
    """
    http = patching.states.get("httpx")
    return not call.sends and not call.children and http is not None and http.patched


def place(call: Call, result: Any, kwargs: dict[str, Any]) -> str:
    """Says who invoices a call that only LiteLLM saw: its own provider name, which it gives back.

    And the host that it used.
    """
    details = getattr(kwargs.get("litellm_logging_obj"), "model_call_details", None) or {}
    hidden = getattr(result, "_hidden_params", None) or {}
    provider: str = (
        get(result, "custom_llm_provider")
        or get(hidden, "custom_llm_provider")
        or details.get("custom_llm_provider")
        or kwargs.get("custom_llm_provider")
        or "unmapped"
    )
    sent = get(details.get("additional_args"), "api_base")
    base = details.get("api_base") or sent or get(hidden, "api_base") or kwargs.get("api_base")
    key = details.get("api_key") or kwargs.get("api_key")
    call.site = site(
        provider, host_of(base) if base else None, key if isinstance(key, str) else None
    )
    call.provider = call.site.provider_for(call.request_model)
    return provider


def read_request(_operation: str, body: dict[str, Any]) -> dict[str, object] | None:
    """What the price of a request depends on, where the answer may not repeat it."""
    return facts(body, "service_tier", "size", "quality", "n")


def read_usage(operation: str, answer: Any) -> Seen:
    """Usage and served model of an answer, in LiteLLM's own shape.

    OpenAI's names; `prompt_tokens` holds everything.
    """
    usage = to_json(get(answer, "usage"))
    images = get(answer, "data") if operation == "image_generation" else None
    counted: dict[str, object] | None = (
        {"images": len(images)} if isinstance(images, list) else None
    )
    return Seen(
        usage,
        _shape(operation) if usage else None,
        text(answer, "model"),
        text(answer, "id"),
        counted or facts(answer, "service_tier"),
    )


def _shape(operation: str) -> str:
    return {"responses": "openai.responses", "image_generation": "openai.images"}.get(
        operation, SHAPE
    )
