"""Times, statements, the policy file, steps to crash at: what they take, what they refuse."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anchor_autopatch.core.config import load_config
from anchor_autopatch.core.crash_points import VARIABLE, reached, watched
from anchor_autopatch.core.durations import duration_us
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.sql_files import parse_statements

SECOND_US = 1_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("4h", 14_400), ("2d", 172_800), (" 1 h ", 3_600), ("007m", 420)],
)
def test_time_is_read_in_its_unit(text: str, seconds: int) -> None:
    assert duration_us(text, "quiet") == seconds * SECOND_US


@pytest.mark.parametrize(
    "value", ["", "0m", "-1h", "1.5h", "10", "h", "1w", "1h30m", 10, None, True]
)
def test_what_is_no_time_is_quoted_with_its_place(value: object) -> None:
    with pytest.raises(ConfigError) as refused:
        duration_us(value, "[incidents] quiet")

    assert f"Cannot use {value!r} for '[incidents] quiet'" in str(refused.value)


def test_statements_keep_their_order_and_description() -> None:
    text = "-- Head.\n\n-- name: two\n-- Second.\nSELECT 2;\n\n-- name: one\n-- First.\nSELECT 1\n"

    assert list(parse_statements(text).items()) == [
        ("two", "-- Second.\nSELECT 2"),
        ("one", "-- First.\nSELECT 1"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- name: one\nSELECT 1;", "lacks its description"),
        ("-- name: one\n-- First.\nSELECT 1;\n-- name: two\nSELECT 2;", "lacks its description"),
        ("-- name: a\n-- A.\nSELECT 1;\n-- name: a\n-- B.\nSELECT 2;", "occurs twice"),
    ],
)
def test_statement_that_would_be_lost_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_statements(text)


def test_no_policy_file_means_no_policy(tmp_path: Path) -> None:
    assert load_config(str(tmp_path / "anchor.toml")) == {}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[hosts\n", "as TOML: "),
        (b"x = '\xff'\n", "as TOML: "),
        (b"x = " + b"[" * 100_000, "as TOML: "),
    ],
    ids=["syntax", "bytes", "depth"],
)
def test_file_that_cannot_be_read_is_named(tmp_path: Path, body: bytes, told: str) -> None:
    path = tmp_path / "anchor.toml"
    path.write_bytes(body)

    with pytest.raises(ConfigError) as refused:
        load_config(str(path))

    assert f"Cannot read {str(path)!r} {told}" in str(refused.value)


def test_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(str(tmp_path))


def test_watcher_sees_the_steps_of_its_block_alone() -> None:
    seen: list[str] = []

    reached("before")
    with watched(seen.append):
        reached("within")
    reached("after")

    assert seen == ["within"]


def test_process_dies_at_the_step_it_was_told() -> None:
    program = (
        "from anchor_autopatch.core.crash_points import reached\n"
        "for step in ('a', 'b', 'a', 'a'):\n"
        "    reached(step)\n"
        "    print(step, flush=True)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, VARIABLE: "a:2"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["a", "b"])
