"""The table that `make matrix` prints, and the environments that it runs in."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from anchor_autopatch.host.targets import TARGETS
from tools import matrix
from tools.matrix import Cell, Counts

LOCKS = sorted(Path(matrix.PAGE.parents[1], "requirements").glob("world-*.txt"))
REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="0.1">
<testcase classname="tests.a" name="test_b" time="0.1" /></testsuite></testsuites>
"""
PASSED = Cell("b", "3.12", {"openai": "3.54.0"}, Counts(9, 0, 1), 70)
ABSENT = Cell("b", "3.19", {}, None, 0, "this Python is not installed here")


def test_test_that_broke_in_its_setup_counts_as_failed(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")

    assert matrix.counted(report) == Counts(passed=4, failed=3, skipped=3)


def test_table_shows_versions_and_outcomes():
    (_, _, line) = matrix.table([PASSED]).splitlines()

    assert line == "| b | 3.12 | 3.54.0 | - | - | - | - | 9 | 0 | 1 | 70 |"


def test_table_says_why_nothing_was_run():
    assert "| this Python is not installed here |" in matrix.table([ABSENT])


@pytest.mark.parametrize(
    ("cell", "sound"),
    [
        (PASSED, True),
        (ABSENT, True),
        (PASSED._replace(counts=Counts(9, 1, 0)), False),
        (ABSENT._replace(note="its environment could not be made"), False),
    ],
)
def test_matrix_fails_with_a_test_and_with_an_environment(cell, sound):
    assert cell.sound is sound


@pytest.mark.parametrize(
    ("made_with", "python", "name"),
    [
        ("3.11.7", "3.11", "a"),
        ("3.11.7", "3.1", "a-3.1"),
        ("3.12.1", "3.11", "a-3.11"),
        (None, "3.11", "a"),
        (None, "3.12", "a-3.12"),
    ],
)
def test_environment_of_that_python_is_taken_again(tmp_path, made_with, python, name):
    plain = tmp_path / ".venvs" / "a"
    if made_with:
        plain.mkdir(parents=True)
        (plain / "pyvenv.cfg").write_text(f"version = {made_with}\n", encoding="utf-8")

    assert matrix.environment("a", python, tmp_path) == plain.with_name(name)


def test_versions_are_those_of_the_environment_not_of_this_process(tmp_path):
    assert matrix.versions_in(tmp_path) == {}
    assert matrix.versions_in(Path(sys.prefix))["wrapt"] == version("wrapt")


def test_only_the_table_on_the_page_is_replaced():
    first, last = matrix._MARKS
    page = f"words\n{first}\nold\n{last}more words\n"

    assert matrix.with_table(page, "new\n") == f"words\n{first}\nnew\n\n{last}more words\n"


def test_every_world_has_its_lock_file():
    assert {lock.stem.removeprefix("world-") for lock in LOCKS} == set(matrix.WORLDS)


# Of two rows for one SDK the first is its own, the other a part of it.
FIRST = {target.name: target for target in reversed(TARGETS)}


@pytest.mark.parametrize("target", FIRST.values(), ids=FIRST)
def test_page_tells_from_which_version_and_with_which(target):
    pins = {
        line.strip().partition("==")[2]
        for lock in LOCKS
        for line in lock.read_text("utf-8").splitlines()
        if line.startswith(f"{target.distribution}==")
    }
    tested = sorted(pins, key=lambda pin: [int(part) for part in pin.split(".")])

    row = f"| {target.name} | {target.minimum} | {', '.join(tested)} |"
    assert row in matrix.PAGE.read_text("utf-8").splitlines()
