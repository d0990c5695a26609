"""`anchor run`: which Python a command will run is told before it runs, and then it is itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anchor_autopatch.cli.hook.interpreters import capture_problem, interpreter_of
from tests.cli.conftest import CHECKOUT, HOOK


@pytest.fixture
def program(tmp_path: Path):
    """A function that puts an executable file on a PATH of its own; returns its environment."""

    def program(name: str, text: str) -> dict[str, str]:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        return {"PATH": str(tmp_path)}

    return program


@pytest.mark.parametrize("name", ["python", "python3", "python3.12", "pypy3", "python3.13t"])
def test_python_is_known_by_its_name(name: str, program) -> None:
    environ = program(name, "")

    assert interpreter_of([name, "app.py"], environ) == str(Path(environ["PATH"]) / name)


@pytest.mark.parametrize(
    "first_line",
    ["#!{python}", "#!/usr/bin/env python3", "#!/usr/bin/env -S python3 -u", "#! {python} -I"],
)
def test_script_names_its_python_in_its_first_line(first_line: str, program) -> None:
    environ = program("python3", "")
    python = str(Path(environ["PATH"]) / "python3")
    program("gunicorn", first_line.format(python=python) + "\nimport sys\n")

    assert interpreter_of(["gunicorn", "app:app"], environ) == python


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\npython app.py\n", "\x7fELF", "", "#!\n", "#!/usr/bin/env\n", "print(1)"]
)
def test_other_program_has_no_python_to_ask(text: str, program) -> None:
    assert interpreter_of(["tool"], program("tool", text)) is None


def test_program_that_is_not_there_has_no_python(program) -> None:
    assert interpreter_of(["nowhere"], program("tool", "")) is None


def test_python_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    assert "cannot be asked" in str(capture_problem(str(tmp_path / "python")))


def test_switch_of_the_environment_is_not_held_against_a_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever switches capture off for one run has said so; the environment is fit all the same.
    monkeypatch.setenv("ANCHOR_DISABLED", "1")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")

    assert capture_problem(sys.executable) is None


def _run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANCHOR_")}
    return subprocess.run(
        [sys.executable, "-m", "anchor_autopatch", "run", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
        env={**kept, **variables},
    )


def test_program_keeps_its_arguments_and_exit_code(tmp_path: Path) -> None:
    script = "import sys; print(sys.argv[1:]); sys.exit(7)"

    done = _run("--", sys.executable, "-c", script, "--json", "--", "x", ANCHOR_HOME=str(tmp_path))

    assert (done.returncode, done.stdout) == (7, "['--json', '--', 'x']\n")


def test_hook_goes_before_the_path_that_was_there(tmp_path: Path) -> None:
    script = "import os; print(os.environ['PYTHONPATH'])"

    done = _run(sys.executable, "-c", script, ANCHOR_HOME=str(tmp_path), PYTHONPATH=str(tmp_path))

    assert done.stdout.strip() == os.pathsep.join((str(HOOK), str(tmp_path)))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "was given no program; expected: anchor run -- python app.py"),
        (["--"], "was given no program"),
        (["--", "no-such-program"], "Cannot find the program 'no-such-program' on PATH"),
    ],
)
def test_what_cannot_be_run_is_one_line(words: list[str], told: str) -> None:
    done = _run(*words)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_python_that_would_capture_nothing_is_refused(bare_python: Path) -> None:
    done = _run("--", str(bare_python), "-c", "print('ran')", PYTHONPATH="")

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{bare_python} -m pip install anchor-autopatch" in done.stderr
