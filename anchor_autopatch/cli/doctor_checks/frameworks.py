"""Which web and task frameworks are installed here, and whether they say whom they serve."""

from __future__ import annotations

from anchor_autopatch.cli.doctor_checks import sdks
from anchor_autopatch.cli.doctor_checks.finding import NOTE, OK, PROBLEM, Finding
from anchor_autopatch.host.targets import FRAMEWORKS, Target

# The first target of each: the others are further modules of the same framework.
_FRAMEWORKS = tuple({target.distribution: target for target in reversed(FRAMEWORKS)}.values())[::-1]


def check() -> list[Finding]:
    """One finding for each framework that is installed; none for the others."""
    found: list[Finding] = []
    for target in _FRAMEWORKS:
        release = sdks.installed(target)
        if release is not None:
            found += _framework(target, release)
    return found


def _framework(target: Target, release: str) -> list[Finding]:
    name = target.name.partition("/")[0]
    if name in sdks.disabled():
        text = f"{release} is switched off by ANCHOR_DISABLE: its calls are nobody's"
        return [Finding(name, NOTE, text)]
    states = sdks.states_of(target.distribution, FRAMEWORKS)
    if isinstance(states, str):
        return [Finding(name, PROBLEM, f"{release} does not say whom it serves: {states}")]
    unpatched = [
        Finding(part, PROBLEM, f"{release} does not say whom it serves: {state.get('reason')}")
        for part, state in states.items()
        if "missing" not in state and not state.get("patched")
    ]
    return unpatched or [Finding(name, OK, f"{release} says whom it serves")]
