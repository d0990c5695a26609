"""`anchor doctor`: what is captured in this environment, what is not, and why.

Exit 1 when money would go unseen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from anchor_autopatch.cli import CLEAN, FINDINGS, hook_files
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core import settings
from anchor_autopatch.core.config import load_config
from anchor_autopatch.core.errors import AnchorError
from anchor_autopatch.core.hosts import parse_host_map
from anchor_autopatch.host import startup
from anchor_autopatch.host.targets import TARGETS, Target

_IMPORT_SECONDS = 120
# Imports one SDK in a process of its own with the hook on, and tells what became of it there.
_PROBE = """
import json, sys
from anchor_autopatch.host import startup
startup.install()
__import__({trigger!r})
from anchor_autopatch.host import patching
state = patching.states.get({name!r})
print(json.dumps(state._asdict() if state else None))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    subject: str
    status: str
    """ok | note | problem; a problem loses money silently."""
    text: str


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> None:
    """Adds `anchor doctor`."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog="example: anchor doctor --json"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=_run)


def _run(parsed: argparse.Namespace) -> int:
    findings = [*_switch(), *_targets(), *_settings(), *_outboxes(time.time())]
    if parsed.json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.status, finding.subject, finding.text) for finding in findings]
        print_table("anchor doctor", ("status", "what", "finding"), rows)
    return FINDINGS if any(finding.status == "problem" for finding in findings) else CLEAN


def _switch() -> list[Finding]:
    """Whether a Python process that starts now would be hooked, and by which route."""
    off = startup.off_reason()
    if off is not None:
        return [Finding("switch", "problem", f"capture is off: {off}")]
    routes = [f"PYTHONPATH has {entry}" for entry in _hook_entries()]
    routes += [str(path) for path in hook_files.files(hook_files.site_packages())]
    chain = Finding("sitecustomize", "ok", " > ".join(_sitecustomize_chain()) or "none on the path")
    if not routes:
        mend = (
            "nothing switches capture on here; "
            "use anchor run, anchor install or PYTHONPATH=$(anchor hook)"
        )
        return [Finding("switch", "problem", mend), chain]
    return [Finding("switch", "ok", "; ".join(routes)), chain]


def _hook_entries() -> list[str]:
    ours = hook_files.template_folder().resolve()
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [entry for entry in entries if entry and Path(entry).resolve() == ours]


def _sitecustomize_chain() -> list[str]:
    files = (Path(entry or ".") / "sitecustomize.py" for entry in sys.path)
    return [str(path) for path in files if path.is_file()]


def _targets() -> list[Finding]:
    disabled = os.environ.get("ANCHOR_DISABLE", "").replace(" ", "").split(",")
    return [_target(target, disabled) for target in TARGETS]


def _target(target: Target, disabled: list[str]) -> Finding:
    try:
        installed = version(target.distribution)
    except PackageNotFoundError:
        return Finding(target.name, "ok", "not installed here")
    if target.name in disabled:
        return Finding(
            target.name, "problem", f"{installed} is installed but switched off by ANCHOR_DISABLE"
        )
    state = _patched_state(target)
    if isinstance(state, str):
        return Finding(target.name, "problem", f"{installed}: {state}")
    if not state.get("patched"):
        return Finding(
            target.name, "problem", f"{installed} is not captured: {state.get('reason')}"
        )
    newer = _is_newer(installed, target.tested)
    known = f"newer than the tested {target.tested}, its shape is as known" if newer else "tested"
    return Finding(target.name, "note" if newer else "ok", f"{installed} is captured ({known})")


def _patched_state(target: Target) -> dict[str, object] | str:
    probe = _PROBE.format(trigger=target.trigger, name=target.name)
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", probe],
            capture_output=True,
            text=True,
            timeout=_IMPORT_SECONDS,
            check=False,
            env=environ,
        )
    except subprocess.TimeoutExpired:
        return f"importing it took more than {_IMPORT_SECONDS} s"
    if done.returncode != 0:
        return f"cannot be imported: {done.stderr.strip().splitlines()[-1:]}"
    state = json.loads(done.stdout.strip().splitlines()[-1])
    return state if isinstance(state, dict) else "the hook did not see its import"


def _is_newer(installed: str, tested: str) -> bool:
    def release(text: str) -> list[int]:
        return [int(part) for part in text.split(".")[:2] if part.isdigit()]

    return release(installed) > release(tested)


def _settings() -> list[Finding]:
    findings = []
    try:
        hosts = parse_host_map(os.environ.get("ANCHOR_PROVIDER_HOSTS", "")).entries
        named = ", ".join(f"{host}={provider}" for host, provider in hosts.items())
        findings.append(Finding("provider hosts", "ok", named or "only the public ones"))
    except AnchorError as error:
        findings.append(Finding("provider hosts", "problem", str(error)))
    path = settings.config_path()
    try:
        load_config(path)
        findings.append(
            Finding("anchor.toml", "ok", path if Path(path).exists() else f"none at {path}")
        )
    except AnchorError as error:
        findings.append(Finding("anchor.toml", "problem", str(error)))
    return findings


def _outboxes(now: float) -> list[Finding]:
    home = Path(settings.home())
    if not home.exists():
        return [
            Finding("ANCHOR_HOME", "note", f"{home} does not exist yet; the first receipt makes it")
        ]
    mode = home.stat().st_mode
    if mode & 0o022:
        return [
            Finding("ANCHOR_HOME", "problem", f"{home} is writable by others; chmod 700 {home}")
        ]
    if not os.access(home, os.W_OK | os.X_OK):
        return [
            Finding(
                "ANCHOR_HOME",
                "problem",
                f"{home} cannot be written by this user; chown or choose another",
            )
        ]
    return [Finding("ANCHOR_HOME", "ok", str(home)), _newest(home / settings.OUTBOX_FOLDER, now)]


def _newest(folder: Path, now: float) -> Finding:
    written = [
        path.stat().st_mtime for pattern in ("*.db", "*.db-wal") for path in folder.glob(pattern)
    ]
    if not written:
        return Finding("outbox", "note", "no receipts are waiting to be shipped")
    count = len(list(folder.glob("*.db")))
    return Finding(
        "outbox", "ok", f"{count} files, newest write {max(0, int(now - max(written)))} s ago"
    )
