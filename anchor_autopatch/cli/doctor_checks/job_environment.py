"""Whether this is the job's own environment, in which no application runs.

It holds SDKs all the same: litellm, whose price table the job reads, brings openai and its HTTP
clients with it. That nothing captures their calls there is no fault, since nobody makes any.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from typing import NamedTuple

from anchor_autopatch.host.targets import TARGETS

_OURS = "anchor-autopatch"
_JOB_NEEDS = "duckdb"
_INSTALLERS = frozenset(("pip", "setuptools", "wheel", "uv"))
_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([\w.-]+)['"]""")


class _Requirement(NamedTuple):
    name: str
    extras: frozenset[str]
    """Of the distribution that is required."""
    only_for: str | None
    """Extra of the distribution that requires it; None = it always does."""


def is_jobs_own() -> bool:
    """Whether there is nothing here but the job and what it needs, and no SDK that was asked for.

    Conservative: one other distribution may be an application, and an SDK that somebody installed
    by name is there to be used.
    """
    try:
        distribution(_JOB_NEEDS)
        needed = _needed()
    except PackageNotFoundError:
        return False
    here = {_normal(each.name): each for each in distributions()}
    sdks = {_normal(target.distribution) for target in TARGETS}
    return here.keys() <= needed | _INSTALLERS and not any(
        _was_asked_for(each) for name, each in here.items() if name in sdks
    )


def _needed() -> set[str]:
    """This distribution with all its extras, and everything here that they need in turn."""
    extras = frozenset(distribution(_OURS).metadata.get_all("Provides-Extra") or ())
    needed: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    open_ends = [_Requirement(_OURS, extras, None)]
    while open_ends:
        name, wanted, _ = open_ends.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        needed.add(name)
        # Markers of platforms and versions are left aside: what is not for here is not here.
        required = map(_parsed, found.requires or ())
        open_ends += (each for each in required if each.only_for in (None, *wanted))
    return needed


def _parsed(line: str) -> _Requirement:
    specifier, _, marker = line.partition(";")
    read = _REQUIREMENT.match(specifier)
    name, extras = read.groups() if read else (specifier, None)
    only_for = _EXTRA.search(marker)
    return _Requirement(
        _normal(name),
        frozenset(part.strip() for part in (extras or "").split(",") if part.strip()),
        only_for and only_for[1],
    )


def _was_asked_for(found: Distribution) -> bool:
    """Whether somebody named it to the installer, rather than something that needs it.

    Installers say so by an empty file (PEP 376 REQUESTED, as pip and uv write it; read 2026-11).
    """
    return found.read_text("REQUESTED") is not None


def _normal(name: str) -> str:
    """A name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()
