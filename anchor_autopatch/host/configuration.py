"""What `anchor.toml` says, as the host reads it: once, at the first provider call, forgiving.

A file that is missing, unreadable or wrong never reaches the application; `anchor policy check`
and `anchor doctor` tell what is wrong with it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core import settings
from anchor_autopatch.core.errors import AnchorError
from anchor_autopatch.host import patching
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from anchor_autopatch.core.policy import Policy

_tables: dict[str, Any] | None = None
_policy: Policy | None = None
notes_spans = False
"""Whether calls are noted on OpenTelemetry's spans; known once the policy has been read."""
names_gateways: bool | None = None
"""Whether the policy lists gateways; None while it has not been read."""
_gateway_hooks: dict[str, Callable[[], None]] = {}
"""By target: what it hooks for gateways only."""
refuses: bool | None = None
"""Whether the policy may refuse a call; None while it has not been read."""


def table(section: str) -> dict[str, Any]:
    """One section of the file; {} when there is none."""
    found = _read().get(section)
    return found if isinstance(found, dict) else {}


def policy() -> Policy | None:
    """What the file asks of attributions; None when it asks for nothing.

    Which is told by its sections, so that a process without a policy imports nothing to read one.
    """
    global _policy, refuses, notes_spans, names_gateways
    if refuses is None:
        _policy = _read_policy()
        notes_spans = _policy is not None and _policy.span_attributes
        names_gateways = _policy is not None and bool(_policy.gateways)
        if names_gateways:
            _hook_for_gateways()
        # Last: it tells other threads that the rest is known.
        refuses = _policy is not None and _policy.may_refuse
    return _policy


def may_refuse() -> bool:
    """Whether there is any call that the policy would refuse."""
    if refuses is None:
        policy()
    return refuses is True


def when_gateways_are_named(target: str, hook: Callable[[], None]) -> None:
    """Lets a target hook what it needs for gateways once the policy is known to list any.

    Args:
        target: Whose hook it is; it is left out where the target has been taken off again.
        hook: Idempotent: the policy may be read anew.
    """
    _gateway_hooks[target] = hook
    if names_gateways:
        hook()


@guarded("configuration")
def _hook_for_gateways() -> None:
    for target, hook in tuple(_gateway_hooks.items()):
        if target in patching.states:
            hook()


def forget() -> None:
    """Reads the file anew at the next call; for tests and for programs that write it late."""
    global _tables, _policy, refuses, notes_spans, names_gateways
    _tables = _policy = refuses = names_gateways = None
    notes_spans = False


def _read() -> dict[str, Any]:
    global _tables
    if _tables is None:
        _tables = _load(settings.config_path()) or {}
    return _tables


@guarded("configuration")
def _load(path: str) -> dict[str, Any]:
    if not os.path.exists(path):
        return {}
    from anchor_autopatch.core.config import load_config

    try:
        return load_config(path)
    except AnchorError:
        return {}


_SECTIONS = ("policy", "vocabulary", "rule", "inbound", "outbound", "opentelemetry")


@guarded("configuration")
def _read_policy() -> Policy | None:
    config = _read()
    if not any(name in config for name in _SECTIONS):
        return None
    from anchor_autopatch.core.policy import read_policy

    return read_policy(config)[0]
