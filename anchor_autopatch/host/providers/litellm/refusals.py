"""Lets the policy refuse a LiteLLM call above LiteLLM's own retries.

Its decorator and its router try again whatever raises below them, so both are asked before they
begin. `litellm.router` is imported after `litellm.utils`, hence a module of its own.
"""

from __future__ import annotations

from functools import wraps
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any

from anchor_autopatch.host import configuration, patching
from anchor_autopatch.host.providers import litellm


def version() -> str | None:
    """The installed version of LiteLLM."""
    return litellm.version()


def patch(router: ModuleType) -> None:
    """Wraps the way into the router's fallbacks and retries; `router` is `litellm.router`."""
    # In 1.109 the class is a front, and another one behind it does the routing.
    core = vars(router.Router).get("_core_class", router.Router)
    for name in ("function_with_fallbacks", "async_function_with_fallbacks"):
        patching.replace(core, name, _asking_as("completion"))


def asking(function: Any) -> Any:
    """The same function, asking the policy before it begins."""
    return _asking_as(function.__name__)(function)


def _asking_as(name: str) -> Any:
    def make(original: Any) -> Any:
        @wraps(original)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if configuration.may_refuse():
                litellm.ask(name, kwargs)
            return original(*args, **kwargs)

        @wraps(original)
        async def asked_async(*args: Any, **kwargs: Any) -> Any:
            if configuration.may_refuse():
                litellm.ask(name, kwargs)
            return await original(*args, **kwargs)

        return asked_async if iscoroutinefunction(original) else asked

    return make
