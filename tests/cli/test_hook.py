"""`anchor hook`, `install` and `uninstall` in a real environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest
import wrapt

from anchor_autopatch.cli.hook.interpreters import capture_problem
from tests.cli.conftest import CHECKOUT


@pytest.fixture
def editable(tmp_path: Path) -> Path:
    """The Python of an environment that this checkout and wrapt are installed in, editable."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    others = Path(wrapt.__file__).resolve().parents[1]
    (packages / "editable.pth").write_text(f"{CHECKOUT}\n{others}\n", "utf-8")
    return tmp_path / "env" / "bin" / "python"


def _anchor(python: Path, *words: str) -> dict[str, list[str]]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANCHOR_", "PYTHON"))}
    done = subprocess.run(
        [python, "-m", "anchor_autopatch", *words, "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=python.parent,
        env=kept,
    )
    return dict(json.loads(done.stdout))


def test_editable_install_counts_in_its_own_checkout(
    editable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    monkeypatch.delenv("ANCHOR_DISABLE", raising=False)

    assert capture_problem(str(editable)) is None


def test_checkout_in_the_current_folder_is_no_install(
    bare_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)

    assert "so nothing would be captured" in str(capture_problem(str(bare_python)))


def test_install_is_undone_by_uninstall(editable: Path) -> None:
    written = _anchor(editable, "install")["written"]
    again = _anchor(editable, "install")["written"]
    assert (again, [Path(path).is_file() for path in written]) == (written, [True])

    assert _anchor(editable, "uninstall") == {"removed": written}
    assert _anchor(editable, "uninstall") == {"removed": []}


def test_hook_as_json_names_the_folder(editable: Path) -> None:
    (folder,) = _anchor(editable, "hook").values()

    assert (Path(str(folder)) / "sitecustomize.py").is_file()
