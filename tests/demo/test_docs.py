"""The pages under docs/ say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anchor_autopatch.cli import COMMANDS
from anchor_autopatch.core.failures import EVENT_CLASSES, Failure, classify
from tests.demo.conftest import CHECKOUT
from tools import report_page

DOCS = CHECKOUT / "docs"
_NAME = re.compile(r'"((?:ANCHOR|OTEL|XDG)_[A-Z_]+|[A-Z]+_(?:ADMIN|MANAGEMENT)_KEY|XAI_TEAM_ID)"')


def _read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def _first_cells(page: str) -> list[list[str]]:
    """The code words in the first column of every table row."""
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in page.splitlines() if "|" in row]


def test_report_page_is_what_publish_makes() -> None:
    assert report_page.page() == _read("report.md"), "run tools/report_page.py"


def test_environment_page_names_every_variable_that_is_read() -> None:
    sources = [*(CHECKOUT / "anchor_autopatch").rglob("*.py")]
    read = {name for source in sources for name in _NAME.findall(source.read_text("utf-8"))}

    told = {name for cell in _first_cells(_read("environment.md")) for name in cell}

    assert told == read


def test_failures_page_explains_every_class() -> None:
    classes = {name for cell in _first_cells(_read("failures.md")) for name in cell}

    assert {*EVENT_CLASSES, "internal"} <= classes


def _code_rows() -> list[tuple[str, str]]:
    rows = re.findall(r"^   \| (`.+`) \| `(\w+)` \|$", _read("failures.md"), re.MULTILINE)
    return [(code, name) for codes, name in rows for code in re.findall(r"`(\w+)`", codes)]


@pytest.mark.parametrize(("code", "expected"), _code_rows())
def test_failures_page_classifies_codes_as_the_code_does(code: str, expected: str) -> None:
    assert classify(Failure("Error", None, code, None, "")) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "auth"), (403, "auth"), (402, "billing_exhausted"), (404, "model_gone"),
        (408, "timeout"), (504, "timeout"), (413, "context_length"), (424, "provider_5xx"),
        (500, "provider_5xx"), (502, "provider_5xx"), (429, "rate_limited"),
        (499, "client_cancelled"), (503, "provider_overloaded"), (529, "provider_overloaded"),
        (400, "bad_request"), (409, "bad_request"), (422, "bad_request"),
    ],
)  # fmt: skip
def test_failures_page_classifies_statuses_as_the_code_does(status: int, expected: str) -> None:
    assert classify(Failure("Error", status, None, None, "")) == expected


def test_commands_page_has_an_example_of_every_command() -> None:
    page = _read("commands.md")

    missing = [
        name for name in COMMANDS if not re.search(rf"^\$ .*\banchor {name}\b", page, re.MULTILINE)
    ]

    assert missing == []


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in DOCS.glob("*.md"))]
)
def test_links_lead_to_files(page: str) -> None:
    source = CHECKOUT / page
    links = re.findall(r"\]\(([^)#:]+)\)", source.read_text(encoding="utf-8"))

    assert [link for link in links if not (source.parent / Path(link)).exists()] == []
