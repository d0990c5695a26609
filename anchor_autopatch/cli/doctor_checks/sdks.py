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
from anchor_autopatch.host.targets import (
    DEPENDENCIES,
    EXECUTORS,
    FRAMEWORKS,
    PARTS,
    TARGETS,
    Target,
)
from anchor_autopatch.surface.uncaptured import UNCAPTURED

_IMPORT_SECONDS = 120
_AT_ONCE = 4
_NAMED = 5
# google-genai has two choke points, but one name.
_SDKS = tuple({target.name: target for target in reversed(TARGETS)}.values())[::-1]
# Imports the modules of one SDK in a process of its own with the hook on, and tells what became of
# each there.
_PROBE = """
import importlib, json
from anchor_autopatch.host import startup
startup.install()
told = {{}}
for name, module in {modules!r}:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as missing:
        told.setdefault(name, {{"missing": missing.name}})
        continue
    from anchor_autopatch.host import patching
    state = patching.states.get(name)
    told[name] = state._asdict() if state else {{"reason": "the hook did not see its import"}}
print(json.dumps(told))
"""


def check() -> list[Finding]:
    """One finding for each target that is installed, one line for those that are not."""
    present = [(target, each) for target in _SDKS if (each := installed(target)) is not None]
    found: list[Finding] = []
    # Each import is a process of its own, some take seconds: threads only wait for them.
    with progress("asking the SDKs", len(present)) as advance, ThreadPoolExecutor(_AT_ONCE) as pool:
        for findings in pool.map(lambda pair: _target(*pair), present):
            found += findings
            advance(1)
    here = {target.name for target, _ in present}
    absent = [target.name for target in _SDKS if target.name not in here]
    if absent:
        found.append(Finding("not installed", OK, ", ".join(absent)))
    if not present:
        text = f"{sys.executable} has none that is captured; run doctor as your application runs"
        found.append(Finding("SDKs", NOTE, text))
    return [*found, *_unknown_switches(), *_unknown_methods()]


def installed(target: Target) -> str | None:
    """The version of a target's distribution here; None when it is not installed."""
    try:
        return version(target.distribution)
    except PackageNotFoundError:
        return None


def disabled() -> list[str]:
    """The targets that ANCHOR_DISABLE switches off."""
    return list(filter(None, os.environ.get("ANCHOR_DISABLE", "").replace(" ", "").split(",")))


def _target(target: Target, release: str) -> list[Finding]:
    if target.name in disabled():
        text = f"{release} is installed but switched off by ANCHOR_DISABLE"
        return [Finding(target.name, PROBLEM, text)]
    states = states_of(target.distribution, (*TARGETS, *PARTS))
    if isinstance(states, str):
        return [Finding(target.name, PROBLEM, f"{release} is not captured: {states}")]
    found = [
        Finding(name, PROBLEM, f"{release} is not captured: {state.get('reason')}")
        for name, state in states.items()
        if "missing" not in state and not state.get("patched")
    ]
    if found:
        return found
    # Some versions have their calls elsewhere, in a part that is patched as well.
    elsewhere = any(state.get("patched") for state in states.values())
    missing = None if elsewhere else states[target.name].get("missing")
    return [_captured(target, release, missing)]


def _captured(target: Target, release: str, missing: object) -> Finding:
    own = target.trigger.partition(".")[0] + "."
    if isinstance(missing, str) and missing.startswith(own):
        text = (
            f"{release} is not captured: it has no module {missing}, where this version looks for "
            "its calls; upgrade anchor-autopatch"
        )
        return Finding(target.name, PROBLEM, text)
    if missing is not None:
        # Nobody else can import it either, so nothing is lost.
        text = f"{release} cannot be used here: it has no module {missing}"
        return Finding(target.name, OK, text)
    if _is_newer(release, target.tested):
        text = f"{release} is captured; newer than the tested {target.tested}, shaped as known"
        return Finding(target.name, NOTE, text)
    return Finding(target.name, OK, f"{release} is captured")


def states_of(distribution: str, targets: tuple[Target, ...]) -> dict[str, dict[str, object]] | str:
    """Name -> what became of it in a process that imports it, or why that cannot be told."""
    modules = [(each.name, each.trigger) for each in targets if each.distribution == distribution]
    # Else litellm fetches its price table from the network while it is imported.
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE.format(modules=modules)],
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
    # The last line is ours; an SDK may print while it is imported.
    states: dict[str, dict[str, object]] = json.loads(done.stdout.strip().splitlines()[-1])
    return states


def _is_newer(release: str, tested: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(".")[:2] if part.isdigit()]

    return numbers(release) > numbers(tested)


def _unknown_switches() -> Iterator[Finding]:
    targets = (*_SDKS, *DEPENDENCIES, *FRAMEWORKS, *EXECUTORS)
    known = {target.name.partition("/")[0] for target in targets}
    for name in disabled():
        if name not in known and name not in UNCAPTURED:
            text = (
                f"{name!r} is no target and switches nothing off; known: {', '.join(sorted(known))}"
            )
            yield Finding("ANCHOR_DISABLE", NOTE, text)


def _unknown_methods() -> Iterator[Finding]:
    """Methods of the installed versions that this version of ours has no verdict on."""
    from anchor_autopatch.surface import verdicts
    from anchor_autopatch.surface.sdks import SDKS, find

    for sdk in SDKS:
        here = find(sdk)
        if here is None or sdk.name in disabled():
            continue
        names = [
            f"{one.method.name} ({one.method.route})" if one.method.route else one.method.name
            for one in verdicts.unclear(verdicts.read(sdk.name), sdk.read(here.folder))
            if one.problem == verdicts.UNKNOWN
        ]
        if names:
            shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
            text = (
                f"{here.version} has {count(len(names), 'method')} that this version does not "
                f"know, so a call may cost money unseen: {shown}; upgrade anchor-autopatch"
            )
            yield Finding(sdk.name, PROBLEM, text)
