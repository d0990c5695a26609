"""Says which models of receipts an invoice means by a model name: they are rarely spelled alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("same_models",)

# A snapshot: -2024-08-06, -20250929, @20250929, -001, -latest, with Bedrock's -v1:0 behind it.
_SNAPSHOT = re.compile(
    r"(?P<date>[-@]\d{4}-?\d{2}-?\d{2}|-\d{3}|[-@](latest|default))?(-v\d+)?(:\d+)?$"
)


def same_models(line_model: str, receipt_models: Iterable[str]) -> list[str]:
    """The receipt models that `line_model` means: those spelled the same, else those of its family.

    Prefixes (`models/`, `openai/`), case and punctuation do not count. Within a family a name
    without a snapshot date means all of them; two different dates are two models.
    """
    models = list(receipt_models)
    wanted = _squash(line_model)
    same = [model for model in models if _squash(model) == wanted]
    if same:
        return same
    family, date = _family(line_model)
    return [
        model
        for model in models
        if (found := _family(model))[0] == family and not (date and found[1])
    ]


def _squash(model: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", _bare(model))


def _family(model: str) -> tuple[str, str]:
    bare = _bare(model)
    found = _SNAPSHOT.search(bare)
    start = found.start() if found else len(bare)
    date = re.sub(r"[^0-9]+", "", found["date"] or "") if found else ""
    return re.sub(r"[^a-z0-9]+", "", bare[:start]), date


def _bare(model: str) -> str:
    name = model.lower().rsplit("/", 1)[-1].replace(" ", "-")
    # Bedrock: us.anthropic.claude-...; a dot within a version (gpt-4.1) has a digit before it.
    return re.sub(r"^(?:[a-z]+\.)+(?=[a-z])", "", name)
