"""SDKs of paid models that are installed here and that nothing captures: told, not kept silent."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from anchor_autopatch.cli.doctor_checks.finding import NOTE, PROBLEM, Finding
from anchor_autopatch.cli.doctor_checks.sdks import disabled
from anchor_autopatch.surface.uncaptured import UNCAPTURED


def check() -> list[Finding]:
    """One finding for each that is installed; a note where ANCHOR_DISABLE says that it is known."""
    return list(_found())


def _found() -> Iterator[Finding]:
    for name, why in UNCAPTURED.items():
        try:
            release = version(name)
        except PackageNotFoundError:
            continue
        known = name in disabled()
        text = f"{release} is not captured: {why}; what it costs stays __untracked"
        if not known:
            text += f"; ANCHOR_DISABLE={name} says that you know"
        yield Finding(name, NOTE if known else PROBLEM, text)
