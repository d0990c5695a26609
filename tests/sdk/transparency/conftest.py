"""Plays with the hook on; what they tell in a process without it is asked once a session."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.fixtures import events, home, receipts
from tests.host.support import CHECKOUT, run_python
from tests.sdk.transparency import casting, performing

__all__ = ["events", "home", "receipts"]

# What other tests of this session leave must not reach the user's own home.
os.environ.setdefault("ANCHOR_HOME", tempfile.mkdtemp(prefix="anchor-tests-"))
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import anchor_autopatch

anchor_autopatch.install()


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Play -> step -> what it tells in a process without us; the workers of a run share it."""
    folder = tmp_path_factory.getbasetemp().parent
    kept = folder / f"bare-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}.json"
    with Path(f"{kept}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_text(_ask_a_bare_process(folder))
    found: dict[str, dict[str, str]] = json.loads(kept.read_text())
    return found


def _ask_a_bare_process(folder: Path) -> str:
    hosts = {"ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    module = "tests.sdk.transparency.bare"
    done = run_python("-m", module, home=folder, hook=False, path=[CHECKOUT], timeout=580, **hosts)
    return done.stdout


@pytest.fixture
def play(name: str, home: Path) -> Iterator[performing.Play]:
    """The play of this name, its first run behind it."""
    found = casting.load(name)
    performing.rehearse(found)
    yield found
    gc.unfreeze()
