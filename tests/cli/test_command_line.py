"""What every command has in common: how mistakes are told, and how it ends when it is stopped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anchor_autopatch import cli
from anchor_autopatch.cli import COMMANDS, main
from anchor_autopatch.cli.jobs import this_user

CHECKOUT = Path(__file__).resolve().parents[2]
_HAS_ACTIONS = re.compile(r"(?:ACTION|SUBCOMMAND) \.\.\.")
_LEAF = re.compile(r"^    ([a-z][a-z-]+)(?:\s|$)", re.MULTILINE)


def _typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    found = capsys.readouterr()
    return code, found.out, found.err


def _pages(capsys: pytest.CaptureFixture[str], *words: str) -> dict[tuple[str, ...], str]:
    """The help of a command and of every action below it, by the words that are typed for it."""
    page = _typed(capsys, *words, "--help")[1]
    pages = {words: page}
    if _HAS_ACTIONS.search(page):
        listed = page.partition("positional arguments:")[2].partition("options:")[0]
        for name in _LEAF.findall(listed):
            pages |= _pages(capsys, *words, name)
    return pages


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_action_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = _pages(capsys, command)

    assert [words for words, page in pages.items() if "\nexample" not in page] == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "run"])
def test_every_action_speaks_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    pages = _pages(capsys, command)

    # What has actions has nothing to print itself.
    printing = {words: page for words, page in pages.items() if not _HAS_ACTIONS.search(page)}
    assert [words for words, page in printing.items() if "--json" not in page] == []


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["reporr"], "anchor: Unknown command 'reporr'; did you mean 'report'?"),
        (
            ["report", "--priod", "2026-10"],
            "anchor: anchor report knows no '--priod 2026-10'; anchor report --help shows what it "
            "takes",
        ),
        (
            ["close", "review", "2026-10", "--all"],
            "anchor: anchor close review knows no '--all'; anchor close review --help shows what "
            "it takes",
        ),
        (
            ["policy", "release"],
            "anchor: The following arguments are required: --reason; anchor policy release --help "
            "shows what it takes",
        ),
        (
            ["export", "csv", "app_costs"],
            "anchor: The following arguments are required: --output; anchor export csv --help "
            "shows what it takes",
        ),
    ],
)
def test_mistyped_command_is_told_in_one_line(
    typed: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _typed(capsys, *typed) == (2, "", f"{told}\n")


def _stopped_by(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_run", run)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_ctrl_c_is_no_traceback(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _stopped_by(error, monkeypatch)

    assert _typed(capsys, "verify") == (130, "", "anchor: Interrupted\n")


def test_error_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    _stopped_by(RuntimeError("dictionary changed size during iteration"), monkeypatch)

    with pytest.raises(RuntimeError, match="changed size"):
        main(["verify"])


@pytest.mark.parametrize("module", ["duckdb", "requests"])
def test_missing_extra_comes_with_the_line_to_type(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ModuleNotFoundError(f"No module named {module!r}", name=f"{module}.sub")
    _stopped_by(missing, monkeypatch)

    code, _, told = _typed(capsys, "prices")

    assert code == 2
    assert f"'prices' needs {module}" in told
    assert "pip install 'anchor-autopatch[job]'" in told


def test_command_whose_module_needs_the_job_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError(name='duckdb')\n")

    done = _anchor("prices", "sync", PYTHONPATH=f"{tmp_path}{os.pathsep}{CHECKOUT}")

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'prices' needs duckdb" in done.stderr


def _anchor(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "anchor_autopatch", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "anchor_autopatch", "hook"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    told = "anchor: Stopped: [Errno 28] No space left on device\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    # A doctor's report is a table, which is what rich would end the process with 1 for.
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "anchor_autopatch", "doctor"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "ANCHOR_HOME": str(tmp_path)},
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")


def test_user_without_a_name_is_called_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 40_321)

    assert this_user() == "uid 40321"
