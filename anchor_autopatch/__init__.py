"""Import-time auto-instrumentation.

AI provider calls leave durable receipts, with no change to the application.

Every name is loaded on first use: importing this package costs next to nothing, because it happens
at the start of every hooked process.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from anchor_autopatch.core.errors import AttributionRequired
    from anchor_autopatch.host.context import attribute, current
    from anchor_autopatch.host.manual import flush, record
    from anchor_autopatch.host.startup import install

__version__ = "0.1.0"
__all__ = (
    "AttributionRequired",
    "__version__",
    "attribute",
    "current",
    "flush",
    "install",
    "record",
)

_HOMES = {
    "AttributionRequired": "anchor_autopatch.core.errors",
    "attribute": "anchor_autopatch.host.context",
    "current": "anchor_autopatch.host.context",
    "flush": "anchor_autopatch.host.manual",
    "install": "anchor_autopatch.host.startup",
    "record": "anchor_autopatch.host.manual",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
