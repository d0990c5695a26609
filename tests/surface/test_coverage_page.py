"""docs/coverage.md says what the patches do, and the verdicts are of use."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from anchor_autopatch.host.providers.anthropic import sdk as anthropic
from anchor_autopatch.host.providers.google import sdk as google_genai
from anchor_autopatch.host.providers.mistral import sdk as mistralai
from anchor_autopatch.host.providers.openai import sdk as openai
from anchor_autopatch.surface import verdicts
from anchor_autopatch.surface.sdks import SDKS
from anchor_autopatch.surface.source import Method
from anchor_autopatch.surface.verdicts import FREE, Verdict
from tools import coverage_page

NAMES = [sdk.name for sdk in SDKS]
REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "sdk-surface.json"


def test_page_is_what_the_code_says() -> None:
    assert coverage_page.page() == coverage_page.PAGE.read_text("utf-8"), "run `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_every_noted_method_has_one_verdict(name: str) -> None:
    methods = [one.method for one in coverage_page.notes()[name]]

    assert verdicts.unclear(verdicts.read(name), methods) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_listed_verdict_is_of_a_method_that_exists(name: str) -> None:
    methods = [one.method for one in coverage_page.notes()[name]]

    assert list(verdicts.read(name).unused(methods)) == []


@pytest.mark.parametrize(
    "end",
    [
        *openai.OPERATIONS, *anthropic.OPERATIONS, *mistralai.OPERATIONS,
        *(f":{verb}" for verb in google_genai.OPERATIONS),
    ],
)  # fmt: skip
def test_every_captured_path_is_on_the_page(end: str) -> None:
    assert f"{end}`" in coverage_page.PAGE.read_text("utf-8")


# Choke points, hooks and parts of a session that the reference lists beside the methods, and what
# was left behind in versions that are older than those on the page.
_NO_METHODS = re.compile(
    r"_base_client|_streaming|_api_client|basesdk|streaming_handler|callbacks|Router|_generate_|"
    r"Session\.|beta\.vector_stores"
)
_PACKAGES = {"resources", "google", "genai", "_gaos", "client", "xai_sdk", "sync", "aio"}


_LITELLM_NAMES = {"anthropic.messages.acreate": "anthropic_messages"}


def _billable() -> list[tuple[str, str]]:
    """(SDK, method in our words) of what the reference knows to be billed."""
    if not REFERENCE.is_file():
        return []
    rows = json.loads(REFERENCE.read_text("utf-8"))
    return sorted(
        {
            (row["sdk"], _plain(row["qualname"]))
            for row in rows
            if row["kind"] != "free" and not _NO_METHODS.search(row["qualname"])
        }
    )


def _plain(name: str) -> str:
    operation = re.search(r"\[([\w-]+):(\w+)\]", name)
    if operation:
        return ".".join(operation.groups())
    # Of `a / b`, `a/b` and `a.b` with the class between: the first, without package and class.
    words = re.split(r" / |/", name)[0].split(".")[1:]
    kept = [word for word in words if word[0].islower() or word[0] == "_"]
    kept = [word for word in kept if word not in _PACKAGES]
    parts = [word for place, word in enumerate(kept) if place == 0 or word != kept[place - 1]]
    plain = ".".join(parts).removesuffix("_async").removeprefix("base_client.")
    return _LITELLM_NAMES.get(plain, plain)


@pytest.mark.skipif(not REFERENCE.is_file(), reason="no ../shared/reference/sdk-surface.json here")
def test_nothing_that_is_known_to_be_billed_is_called_free() -> None:
    notes = coverage_page.notes()
    wrong = [
        (sdk, name)
        for sdk, name in _billable()
        for one in notes[sdk]
        if one.method.name == name and _is_free(verdicts.read(sdk).on(one.method))
    ]

    assert wrong == []


@pytest.mark.skipif(not REFERENCE.is_file(), reason="no ../shared/reference/sdk-surface.json here")
def test_everything_that_is_known_to_be_billed_is_on_the_page() -> None:
    notes = coverage_page.notes()
    known = {sdk: {one.method.name for one in noted} for sdk, noted in notes.items()}

    missing = [
        (sdk, name)
        for sdk, name in _billable()
        if not known[sdk] & {name, name.removeprefix("a")}  # acompletion is completion
    ]

    assert missing == []


def _is_free(verdict: object) -> bool:
    return isinstance(verdict, Verdict) and verdict.kind == FREE


def test_method_of_a_new_version_is_named() -> None:
    new = Method("dreams.create", "POST /dreams")

    (found,) = verdicts.unclear(verdicts.read("openai"), [new])

    assert (found.method, found.problem) == (new, "has no verdict")
