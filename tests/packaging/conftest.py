"""Environments made from the built wheel, as a user makes them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.provider_sim import running

ROOT = Path(__file__).parents[2]
APPLICATION = """
from openai import OpenAI
OpenAI().chat.completions.create(
    model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
)
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment and the commands in it, run from a folder that is not the checkout."""

    folder: Path

    def run(self, program, *arguments, fails=False, **variables):
        """Run a program of this environment and return the finished process."""
        # Neither our own hook nor a surrounding test run may reach the process.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANCHOR_", "PYTHON"))}
        done = subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder,
            env=inherited | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert fails or done.returncode == 0, f"{program} {arguments}: {done.stdout}{done.stderr}"
        return done

    def pip_install(self, *requirements):
        self.run("python", "-m", "pip", "install", "-qq", "--progress-bar", "off", *requirements)

    def packages(self):
        """Return the names of the installed distributions, the installers left out."""
        listed = self.run("python", "-m", "pip", "list", "--format=freeze").stdout.split()
        return {line.partition("==")[0] for line in listed} - {"pip", "setuptools"}

    def site_packages(self):
        (folder,) = self.folder.glob("lib/python3*/site-packages")
        return folder


@pytest.fixture(scope="session")
def checkout():
    return ROOT


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory):
    def make():
        folder = tmp_path_factory.mktemp("env")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution: so that one is complete too."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def base(new_environment, wheel):
    """The base install alone."""
    environment = new_environment()
    environment.pip_install(wheel)
    return environment


@pytest.fixture(scope="session")
def application(new_environment, wheel):
    """The base install in the environment of an application that brings its SDK."""
    environment = new_environment()
    environment.pip_install(wheel, "openai", "-c", ROOT / "requirements" / "world-b.txt")
    return environment


@pytest.fixture(scope="session")
def job(new_environment, wheel):
    environment = new_environment()
    environment.pip_install(f"{wheel}[job]", "-c", ROOT / "requirements" / "dev.txt")
    return environment


@pytest.fixture(scope="session")
def simulator():
    with running() as started:
        yield started


@pytest.fixture
def one_call(application, simulator):
    """Run an application that makes one call, hooked by PYTHONPATH alone, with this ANCHOR_HOME."""

    def run(home):
        application.run(
            "python",
            "-c",
            APPLICATION,
            PYTHONPATH=application.run("anchor", "hook").stdout.strip(),
            ANCHOR_HOME=str(home),
            **simulator.environment(),
        )

    return run
