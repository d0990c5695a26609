"""Which SDKs and HTTP clients are installed here, and whether their calls are captured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version

from anchor_autopatch.cli.doctor_checks.finding import NOTE, OK, PROBLEM, Finding, count
from anchor_autopatch.cli.output import progress
from anchor_autopatch.host.targets import TARGETS, Target

_IMPORT_SECONDS = 120
_AT_ONCE = 4
_NAMED = 5
# Imports one SDK in a process of its own with the hook on, and tells what became of it there.
_PROBE = """
import json, sys
from anchor_autopatch.host import startup
startup.install()
try:
    __import__({trigger!r})
except ModuleNotFoundError as missing:
    print(json.dumps({{"missing": missing.name}}))
    sys.exit()
from anchor_autopatch.host import patching
state = patching.states.get({name!r})
print(json.dumps(state._asdict() if state else None))
"""


def check() -> list[Finding]:
    """One finding for each target that is installed, one line for those that are not."""
    present = [(target, each) for target in TARGETS if (each := _installed(target)) is not None]
    found = []
    with progress("asking the SDKs", len(present)) as advance, ThreadPoolExecutor(_AT_ONCE) as pool:
        for finding in pool.map(lambda pair: _target(*pair), present):
            found.append(finding)
            advance(1)
    here = {target.name for target, _ in present}
    absent = dict.fromkeys(target.name for target in TARGETS if target.name not in here)
    if absent:
        found.append(Finding("not installed", OK, ", ".join(absent)))
    return [*dict.fromkeys(found), *_unknown_switches(), *_unknown_methods()]


def _installed(target: Target) -> str | None:
    try:
        return version(target.distribution)
    except PackageNotFoundError:
        return None


def disabled() -> list[str]:
    """The targets that ANCHOR_DISABLE switches off."""
    return list(filter(None, os.environ.get("ANCHOR_DISABLE", "").replace(" ", "").split(",")))


def _target(target: Target, installed: str) -> Finding:
    if target.name in disabled():
        text = f"{installed} is installed but switched off by ANCHOR_DISABLE"
        return Finding(target.name, PROBLEM, text)
    state = _patched_state(target)
    if isinstance(state, str):
        return Finding(target.name, PROBLEM, f"{installed} is not captured: {state}")
    if "missing" in state:
        # Nobody else can import it either: an older version, or one without what it needs.
        text = f"{installed} has no {target.trigger} here: no module {state['missing']}"
        return Finding(target.name, OK, text)
    if not state.get("patched"):
        return Finding(target.name, PROBLEM, f"{installed} is not captured: {state.get('reason')}")
    if _is_newer(installed, target.tested):
        text = f"{installed} is captured; newer than the tested {target.tested}, shaped as known"
        return Finding(target.name, NOTE, text)
    return Finding(target.name, OK, f"{installed} is captured")


def _patched_state(target: Target) -> dict[str, object] | str:
    """What became of the target in a process that imports it, or why that cannot be told."""
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
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return f"it cannot be imported ({last[0]})"
    state = json.loads(done.stdout.strip().splitlines()[-1])
    return state if isinstance(state, dict) else "the hook did not see its import"


def _is_newer(installed: str, tested: str) -> bool:
    def release(text: str) -> list[int]:
        return [int(part) for part in text.split(".")[:2] if part.isdigit()]

    return release(installed) > release(tested)


def _unknown_switches() -> Iterator[Finding]:
    known = {target.name for target in TARGETS}
    for name in disabled():
        if name not in known:
            text = (
                f"{name!r} is no target and switches nothing off; known: {', '.join(sorted(known))}"
            )
            yield Finding("ANCHOR_DISABLE", NOTE, text)


def _unknown_methods() -> Iterator[Finding]:
    """Methods of the installed versions that this version of ours has no verdict on."""
    from anchor_autopatch.surface import verdicts
    from anchor_autopatch.surface.sdks import SDKS, find

    for sdk in SDKS:
        installed = find(sdk)
        if installed is None or sdk.name in disabled():
            continue
        names = [
            f"{one.method.name} ({one.method.route})" if one.method.route else one.method.name
            for one in verdicts.unclear(verdicts.read(sdk.name), sdk.read(installed.folder))
            if one.problem == verdicts.UNKNOWN
        ]
        if names:
            shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            text = (
                f"{installed.version} has {count(len(names), 'method')} that this version does not "
                f"know, so a call may cost money unseen: {shown}; upgrade anchor-autopatch"
            )
            yield Finding(sdk.name, PROBLEM, text)
