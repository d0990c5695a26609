"""Every model that bills by the image, second, character, page or query, held against LiteLLM.

Each is priced as a receipt that names the units, and by LiteLLM's own function for that kind of
call. What differs is in DIFFERENCES by the name of its model, with the reason.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from decimal import Decimal
from typing import NamedTuple

import pytest

from anchor_autopatch.job.rates import sync_installed
from anchor_autopatch.job.rates.source import read_installed
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add, run
from tests.parity.test_parity import billed_by

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TOLERANCE = Decimal("1e-12")
# Kind of call -> the mode of its models, the fields that price it, and what a receipt of it says.
KINDS = {
    "images": (
        "image_generation",
        ("input_cost_per_image", "output_cost_per_image"),
        {"images": 2},
    ),
    "pixels": (
        "image_generation",
        ("input_cost_per_pixel",),
        {"images": 2, "image_size": "1024x1536"},
    ),
    "seconds heard": (
        "audio_transcription",
        ("input_cost_per_second", "output_cost_per_second"),
        {"seconds": 93.5},
    ),
    "seconds of video": (
        "video_generation",
        ("output_cost_per_second", "output_cost_per_video_per_second"),
        {"video_seconds": 8},
    ),
    "characters": ("audio_speech", ("input_cost_per_character",), {"characters": 1234}),
    "pages": ("ocr", ("ocr_cost_per_page",), {"pages": 12}),
    "rerank units": ("rerank", ("input_cost_per_query",), {"queries": 5}),
    "searches": ("search", ("input_cost_per_query",), {"queries": 3}),
}
_SEARCH_TOOL = "LiteLLM bills one search of the standard processor, whichever ran and however often"
_SHORT_RATE = "a rate of 20 decimals, of which we keep 18: 2e-12 USD for two images"
DIFFERENCES = {
    "parallel_ai/search": _SEARCH_TOOL,
    "parallel_ai/search-fast": _SEARCH_TOOL,
    "parallel_ai/search-pro": _SEARCH_TOOL,
    "parallel_ai/search-turbo": _SEARCH_TOOL,
    "azure/low/1024-x-1024/gpt-image-1-mini": _SHORT_RATE,
    "azure/low/1024-x-1536/gpt-image-1-mini": _SHORT_RATE,
}
_TOKENS = ("input_cost_per_token", "output_cost_per_token", "output_cost_per_image_token")
# Keys of the list hold the size of a picture, and often its quality, before the name of the model.
_SIZED = re.compile(
    r"(?:(?P<quality>low|medium|high|xhigh|max|standard|hd)/)?(?P<size>\d+-x-\d+)/(?P<model>.+)"
)


class Case(NamedTuple):
    """A model of the list, and how somebody asks for it."""

    kind: str
    key: str
    provider: str
    model: str
    size: str | None
    quality: str | None


def cases_of(table):
    for kind, (mode, fields, _) in KINDS.items():
        for key, entry in table.items():
            by_token = any(entry.get(name) for name in _TOKENS)
            if entry.get("mode") == mode and not by_token and any(f in entry for f in fields):
                sized = _SIZED.search(key) if kind == "images" else None
                named = (key[: sized.start()] + sized["model"],) if sized else (key,)
                how = (sized["size"], sized["quality"]) if sized else (None, None)
                yield Case(kind, key, entry["litellm_provider"], *named, *how)


def facts_of(case):
    size = {"image_size": case.size.replace("-", "")} if case.size else {}
    quality = {"image_quality": case.quality} if case.quality else {}
    return KINDS[case.kind][2] | size | quality


@pytest.fixture(scope="module")
def litellm():
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm
    litellm.suppress_debug_info = True
    return litellm


def litellm_says(litellm, case):
    """Its price in USD, by the function that it has for this kind of call."""
    from litellm.llms.base_llm.ocr.transformation import OCRPage, OCRResponse, OCRUsageInfo

    costs = litellm.cost_calculator
    named = {"model": case.model, "custom_llm_provider": case.provider}
    if case.kind in ("images", "pixels"):
        size = case.size or ("1024-x-1536" if case.kind == "pixels" else "1024-x-1024")
        return costs.default_image_cost_calculator(**named, n=2, size=size, quality=case.quality)
    if case.kind == "seconds of video":
        return costs.default_video_cost_calculator(duration_seconds=8.0, **named)
    if case.kind == "pages":
        read = OCRUsageInfo(pages_processed=12)
        pages = [OCRPage(index=0, markdown="")]
        answer = OCRResponse(pages=pages, model=case.model, usage_info=read)
        return sum(costs.ocr_cost(response=answer, **named))
    told = {
        "seconds heard": {
            "call_type": "transcription",
            "audio_transcription_file_duration": 93.5,
        },
        "characters": {"call_type": "speech", "prompt_characters": 1234},
        "rerank units": {"call_type": "rerank", "rerank_billed_units": {"search_units": 5}},
        "searches": {"call_type": "search", "number_of_queries": 3},
    }
    return sum(costs.cost_per_token(**named, **told[case.kind]))


def test_units_of_every_model_cost_what_litellm_says(tmp_path, litellm, record_parity):
    cases = [*cases_of(read_installed().models)]
    with open_warehouse(tmp_path) as con:
        sync_installed(con, NOW)
        for case in cases:
            named = {"provider": billed_by(case.provider), "request_model": case.model}
            asked = {"usage": None, "usage_shape": None, "facts": facts_of(case)}
            add(con, f"{case.kind} {case.key}", **named, **asked)
        run(con)
        sql = "SELECT receipt_id, estimated_cost_usd FROM receipt_price"
        ours = dict(con.execute(sql).fetchall())

    differing, kinds = {}, Counter()
    for case in cases:
        cost, theirs = ours[f"{case.kind} {case.key}"], Decimal(repr(litellm_says(litellm, case)))
        kinds[case.kind] += 1
        if cost is None or abs(cost - theirs) > TOLERANCE:
            differing[case.key] = (cost, theirs)

    record_parity("units", kinds)
    assert set(differing) == set(DIFFERENCES), differing
    assert set(kinds) == set(KINDS)
    assert kinds.total() > 500
