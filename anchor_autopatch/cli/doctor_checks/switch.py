"""Whether a Python process that starts now is hooked, by which route, and who could change that."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from anchor_autopatch.cli.doctor_checks.finding import NOTE, OK, PROBLEM, Finding
from anchor_autopatch.cli.doctor_checks.job_environment import is_jobs_own
from anchor_autopatch.cli.hook import files as hook_files
from anchor_autopatch.host import startup

_PROBE = (
    "import sys; f = sys.modules.get('anchor_autopatch.host.finder'); "
    "print(any(isinstance(each, f.AnchorFinder) for each in sys.meta_path) if f else False)"
)
_PROBE_SECONDS = 60
_ROUTES = "anchor run, anchor install or PYTHONPATH=$(anchor hook)"
_OURS = "anchor_autopatch.host.startup"


def check() -> list[Finding]:
    """The switches, the routes of the hook and the folders that they rest on."""
    off = startup.off_reason()
    if off is not None:
        return [Finding("switch", PROBLEM, f"capture is off: {off}")]
    return [*_hook(), *_writable()]


def _hook() -> list[Finding]:
    # Python imports the first sitecustomize on the path and never looks for a second one.
    chain = [Path(entry or ".") / "sitecustomize.py" for entry in sys.path]
    chain = [path for path in chain if path.is_file()]
    shown = Finding("sitecustomize", OK, " > ".join(map(str, chain)) or "none on the path")
    ours = [path for path in chain if _is_hook(path)]
    files = hook_files.files(hook_files.site_packages())
    routes = [f"PYTHONPATH has {path.parent}" for path in ours] + [str(path) for path in files]
    if not routes:
        return [_nothing(), shown]
    if not _is_on():
        hidden = bool(chain and chain[0] not in ours)
        why = f"{chain[0]} runs first and hides it" if hidden else "see above"
        mend = "put the hook's folder first in PYTHONPATH" if hidden else f"use {_ROUTES}"
        text = f"a new process is not hooked in spite of {'; '.join(routes)}: {why}; {mend}"
        return [Finding("switch", PROBLEM, text), shown]
    found = [Finding("switch", OK, "; ".join(routes)), shown]
    if len(routes) > 1:
        text = "more than one hook: the first wins, the others do nothing; remove all but one"
        found.append(Finding("hooks", NOTE, text))
    return found


def _nothing() -> Finding:
    """What it means that there is no hook: nothing where no application runs."""
    if is_jobs_own():
        text = (
            "nothing is captured here: this environment holds the job alone, applications are "
            f"hooked in theirs; if one runs here, use {_ROUTES}"
        )
        return Finding("switch", NOTE, text)
    return Finding("switch", PROBLEM, f"nothing switches capture on here; use {_ROUTES}")


def _is_hook(path: Path) -> bool:
    """Whether a sitecustomize is ours: this installation's or another's."""
    try:
        return _OURS in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _is_on() -> bool:
    """Starts a process as an application would be started, and looks."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip().endswith("True")


def _writable() -> list[Finding]:
    """Folders that run code in every process, and that others may write to."""
    entries = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    folders = {"PYTHONPATH": list(entries), "hook": [str(hook_files.template_folder())]}
    return [
        finding
        for subject, paths in folders.items()
        for path in dict.fromkeys(paths)
        if (finding := _writable_by_others(subject, Path(path))) is not None
    ]


def _writable_by_others(subject: str, folder: Path) -> Finding | None:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return Finding(subject, NOTE, f"{folder} does not exist")
    if mode & stat.S_IWOTH:
        text = (
            f"{folder} is writable by everyone, who could switch capture off; chmod go-w {folder}"
        )
        return Finding(subject, PROBLEM, text)
    if mode & stat.S_IWGRP:
        return Finding(subject, NOTE, f"{folder} is writable by its group; chmod g-w {folder}")
    return None
