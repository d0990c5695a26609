"""Which Python a command line will run, and whether that Python could capture anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PYTHON_NAME = re.compile(r"^(?:python|pypy)[\d.]*t?(?:\.exe)?$")
_SHEBANG_LIMIT = 512
# Without the current folder, which `-c` puts first as '': a checkout of ours lying there proves
# nothing about the environment. An editable install names the same folder in full, and that counts.
_PROBE = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; "
    "import wrapt; from anchor_autopatch.host import startup; "
    "print('off:', startup.off_reason() or '')"
)
_PROBE_SECONDS = 30
# The probe asks what the environment holds; switching capture off for one run is the user's own
# word.
_NOT_ASKED = ("PYTHONPATH", "ANCHOR_DISABLED")


def interpreter_of(command: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The Python that will run a command: itself, or the one its `#!` line names.

    None for other programs.
    """
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        return None
    if _PYTHON_NAME.match(Path(program).name):
        return program
    return _from_shebang(program, environ)


def _from_shebang(program: str, environ: Mapping[str, str]) -> str | None:
    try:
        with Path(program).open("rb") as file:
            first = file.read(_SHEBANG_LIMIT).partition(b"\n")[0]
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = os.fsdecode(first[2:]).split()
    if not words:
        return None
    # `#!/usr/bin/env -S python3 -u` and `#!/usr/bin/env python3`
    if Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words or not _PYTHON_NAME.match(Path(words[0]).name):
        return None
    return shutil.which(words[0], path=environ.get("PATH"))


def capture_problem(python: str) -> str | None:
    """Why a program run by this Python would leave no receipts, in words with the mend.

    None when it would.
    """
    environ = {key: value for key, value in os.environ.items() if key not in _NOT_ASKED}
    try:
        done = subprocess.run(
            [python, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
            env=environ,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{python} cannot be asked: {error}"
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return (
            f"{python} has no working anchor_autopatch ({reason[0]}), "
            "so nothing would be captured; "
            f"{python} -m pip install anchor-autopatch"
        )
    reason_off = done.stdout.strip().partition(" ")[2]
    return f"capture is off: {reason_off}" if reason_off else None


def own() -> str:
    """The interpreter that runs this command."""
    return sys.executable
