"""Environments for the doctor: a bare Python of their own, with only what a test puts there."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor_autopatch.host.capture import sites

CHECKOUT = Path(__file__).resolve().parents[2]
HOOK = CHECKOUT / "sitecustomize_template"


class Bare:
    """A virtual environment without any SDK, and packages that a test makes up for it."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python = python
        self.packages = folder / "packages"
        self.home = folder / "home"
        self.packages.mkdir()

    def add(self, name: str, version: str, files: dict[str, str], *headers: str) -> None:
        """Installs a made-up distribution; `headers` are further lines of its metadata."""
        info = self.packages / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *headers)
        metadata = "".join(f"{line}\n" for line in lines)
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        for path, text in files.items():
            file = self.packages / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def doctor(self, *, hook: Path | None = HOOK, **variables: str) -> tuple[int, list[list[str]]]:
        """Exit code and [subject, status, text] of each finding."""
        done = self.run("doctor", "--json", hook=hook, **variables)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, [list(finding.values()) for finding in json.loads(done.stdout)]

    def run(
        self,
        *arguments: str,
        hook: Path | None = HOOK,
        stderr: int = subprocess.PIPE,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Runs an `anchor` command there."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANCHOR_", "PYTHON"))}
        path = os.pathsep.join(map(str, filter(None, (hook, self.packages, CHECKOUT))))
        ours = {"PYTHONPATH": path, "ANCHOR_HOME": str(self.home), "HOME": str(self.home.parent)}
        return subprocess.run(
            [self.python, "-m", "anchor_autopatch", *arguments],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
            cwd=self.packages,
            env=kept | ours | variables,
        )


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture
def bare(bare_python: Path, tmp_path: Path) -> Bare:
    return Bare(bare_python, tmp_path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """ANCHOR_HOME of this process, made as the writer makes it."""
    for name in [name for name in os.environ if name.startswith("ANCHOR_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / "outbox").mkdir(mode=0o700, parents=True)
    home.chmod(0o700)
    monkeypatch.setenv("ANCHOR_HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sites.forget()
    yield home
    sites.forget()
