"""Runs the host half's tests over SDK worlds and Pythons, then prints one table of all.

    python -m tools.matrix                      every world on every Python
    python -m tools.matrix --worlds oldest --pythons 3.11 --focus
    python -m tools.matrix --page               writes the table into docs/versions.md too
    python -m tools.matrix -- -x -k streams     what follows -- goes to pytest

A world is a lock file, `requirements/world-NAME.txt`; its environments are made under .venvs/ when
they are missing or the lock has changed. A Python that is not installed is named and passed over.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

_ROOT = Path(__file__).resolve().parents[1]
PAGE = _ROOT / "docs" / "versions.md"
_MARKS = ("<!-- From here on written by tools/matrix.py -->\n", "<!-- Up to here -->\n")
WORLDS = ("oldest", "a", "b", "litellm")
PYTHONS = ("3.11", "3.12", "3.13")
SDKS = ("openai", "anthropic", "google-genai", "litellm", "wrapt")
"""Distributions whose versions the table shows."""

_ALL = ("tests/sdk", "tests/host", "tests/conformance")
# What depends on an SDK's version most: calls through its choke points, sessions, its methods.
_FOCUS = (
    "tests/sdk/hooked",
    "tests/sdk/sessions",
    "tests/sdk/test_every_method_has_a_verdict.py",
    "tests/host/test_startup.py",
    "tests/conformance",
)
_LEFT_OUT = "not chaos and not conformance"


class Counts(NamedTuple):
    """Tests by outcome; one that broke in its set-up counts as failed."""

    passed: int
    failed: int
    skipped: int


class Cell(NamedTuple):
    """One world on one Python, and what became of its tests."""

    world: str
    python: str
    versions: dict[str, str]
    counts: Counts | None
    """None where nothing was run."""
    seconds: int
    note: str = ""

    @property
    def sound(self) -> bool:
        """Whether all tests passed, or there was no such Python to run them on."""
        return self.counts.failed == 0 if self.counts else self.note == _NO_PYTHON


_NO_PYTHON = "this Python is not installed here"


def environment(world: str, python: str, root: Path = _ROOT) -> Path:
    """Where a world's environment is: .venvs/a when it is of this Python, else .venvs/a-3.12."""
    plain = root / ".venvs" / world
    made = plain / "pyvenv.cfg"
    if made.is_file():
        fits = f"version = {python}." in made.read_text(encoding="utf-8")
    else:
        fits = python == PYTHONS[0]  # which make takes too, so that it will find this one
    return plain if fits else plain.with_name(f"{world}-{python}")


def counted(report: Path) -> Counts:
    """The tests of a JUnit report by outcome."""
    found = [suite.attrib for suite in ElementTree.parse(report).iter("testsuite")]

    def total(*names: str) -> int:
        return sum(int(suite[name]) for suite in found for name in names)

    failed, skipped = total("failures", "errors"), total("skipped")
    return Counts(total("tests") - failed - skipped, failed, skipped)


def versions_in(folder: Path) -> dict[str, str]:
    """Distribution -> version, of those that an environment holds."""
    paths = [str(path) for path in folder.glob("lib/python*/site-packages")]
    found = {name: next(iter(Distribution.discover(name=name, path=paths)), None) for name in SDKS}
    return {name: one.version for name, one in found.items() if one is not None}


def table(cells: Iterable[Cell]) -> str:
    """The cells as a Markdown table, one line each."""
    heads = ("world", "Python", *SDKS, "passed", "failed", "skipped", "seconds")
    left = 2 + len(SDKS)
    lines = [_line(heads), _line(["---"] * left + ["---:"] * (len(heads) - left))]
    for cell in cells:
        versions = (cell.versions.get(name, "-") for name in SDKS)
        outcome = (*cell.counts, cell.seconds) if cell.counts else (cell.note, "", "", "")
        lines.append(_line([cell.world, cell.python, *versions, *map(str, outcome)]))
    return "\n".join(lines) + "\n"


def _line(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def with_table(page: str, new: str) -> str:
    """The text of the page with the table between its marks."""
    before, _, rest = page.partition(_MARKS[0])
    _, _, after = rest.partition(_MARKS[1])
    return f"{before}{_MARKS[0]}\n{new}\n{_MARKS[1]}{after}"


def _run(world: str, python: str, tests: Iterable[str], arguments: list[str]) -> Cell:
    """Makes the environment where need be and runs the tests in it."""
    print(f"\n=== Host half, Python {python}, SDK world {world} ===", flush=True)
    began = time.monotonic()
    folder, note = environment(world, python), ""
    if not _done("tools/find_python.sh", python):  # prints which one
        note = _NO_PYTHON
    elif not _done("tools/venv.sh", str(folder), f"requirements/world-{world}.txt", python):
        note = "its environment could not be made"
    counts = None if note else _tested(folder, tests, arguments)
    if not note and counts is None:
        note = "its tests did not run to the end"
    seconds = round(time.monotonic() - began)
    print(f"--- {note or f'{seconds} s'}", flush=True)
    return Cell(world, python, versions_in(folder), counts, seconds, note)


def _tested(folder: Path, tests: Iterable[str], arguments: list[str]) -> Counts | None:
    pytest = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-n", "2", "-m", _LEFT_OUT]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.xml")
        _done(*pytest, *tests, f"--junitxml={report}", *arguments)
        # Without a report pytest itself ended early: killed, or its arguments were wrong.
        return counted(report) if report.exists() else None


def _done(*command: str) -> bool:
    return subprocess.run(command, cwd=_ROOT, check=False).returncode == 0


def main() -> int:
    """Runs what the arguments ask for; 1 when any test failed or could not be run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--worlds", nargs="+", default=WORLDS, choices=WORLDS)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS)
    parser.add_argument("--focus", action="store_true", help="only what SDK versions change most")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(_ROOT)} too")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    given = parser.parse_args()
    cells = [
        _run(world, python, _FOCUS if given.focus else _ALL, given.pytest)
        for world in given.worlds
        for python in given.pythons
    ]
    print(f"\n{table(cells)}")
    if given.page:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_table(text, table(cells)), encoding="utf-8")
    return 0 if all(cell.sound for cell in cells) else 1


if __name__ == "__main__":
    sys.exit(main())
