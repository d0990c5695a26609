"""The border contract, on a small house of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
[tool.importlinter]
root_packages = ["house"]
include_external_packages = true
contract_types = ["border: tools.borders.Border"]

[[tool.importlinter.contracts]]
name = "host"
type = "border"
package = "house.host"
may_import = ["house.core", "house"]
third_party = ["wrapt"]
"""


@pytest.fixture
def lint(tmp_path):
    """Return what lint-imports prints, and its exit code, for a host module with this source."""

    def run(source):
        for package in ("house", "house/core", "house/job", "house/host"):
            (tmp_path / package).mkdir()
            (tmp_path / package / "__init__.py").touch()
        (tmp_path / "house/host/hook.py").write_text(source)
        (tmp_path / "pyproject.toml").write_text(CONFIG)
        done = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize(
    "source",
    ["import sqlite3", "import wrapt", "from house.core import x", "from house import __version__"],
)
def test_listed_import_keeps_the_border(lint, source):
    code, _ = lint(source)

    assert code == 0


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import requests", "requests"),
        ("import house.job", "house.job"),
        ("def late():\n    import duckdb", "duckdb"),
        ("import wrapt_of_another", "wrapt_of_another"),
    ],
)
def test_unlisted_import_breaks_the_border(lint, source, imported):
    code, printed = lint(source)

    assert code == 1
    assert f"house.host.hook imports {imported} (line {len(source.splitlines())})" in printed
