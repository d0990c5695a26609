"""Processes in an SDK world that work when told, with the hook or without."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from benchmarks.works import Samples

ROOT = Path(__file__).resolve().parent.parent
_HOOK = ROOT / "sitecustomize_template"


class Worker:
    """One such process."""

    def __init__(self, commands: IO[str], answers: IO[str]) -> None:
        self._commands = commands
        self._answers = answers

    def take_turn(self, work: str, size: int, *, unhooked: bool = False) -> Samples:
        """The samples of one block; `unhooked` takes the hook off for its time."""
        asked = {"work": work, "size": size, "unhooked": unhooked}
        self._commands.write(json.dumps(asked) + "\n")
        self._commands.flush()
        answer: Samples = json.loads(self._answers.readline())
        return answer


@contextmanager
def worker(python: Path, urls: dict[str, str], *, hooked: bool) -> Iterator[Worker]:
    """Starts a worker whose calls go to these base URLs, or without any to a provider inside it."""
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", json.dumps(urls)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(home if hooked else None),
            cwd=ROOT,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("The worker has no pipes")
        try:
            yield Worker(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(timeout=60)


def environment(home: str | None) -> dict[str, str]:
    """This process's environment with the hook on and its home here; without the hook for None."""
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("ANCHOR_", "PYTHON"))
    }
    # LiteLLM would ask the network for its price table.
    environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    if home is None:
        return environ | {"PYTHONPATH": str(ROOT)}
    return environ | {
        "PYTHONPATH": os.pathsep.join((str(_HOOK), str(ROOT))),
        "ANCHOR_HOME": home,
        "ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk",
        "ANCHOR_TEAM": "bench",
    }
