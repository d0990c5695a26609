"""Who this process's calls are for, as its environment variables say; the last word of all."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

_VARIABLES = {
    "team": "ANCHOR_TEAM",
    "service": "ANCHOR_SERVICE",
    "feature": "ANCHOR_FEATURE",
    "environment": "ANCHOR_ENVIRONMENT",
    "region": "ANCHOR_REGION",
    "cost_center": "ANCHOR_COST_CENTER",
}
# OpenTelemetry resource attributes, semantic conventions 1.37 (read 2026-11); `team` is ours.
_RESOURCE_ATTRIBUTES = {
    "service.name": "service",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "cloud.region": "region",
    "team": "team",
}

_LABEL_LIMIT = 64


class Environment(NamedTuple):
    """What the variables say, cleaned."""

    fields: dict[str, str]
    sources: dict[str, str]
    """Field -> `environment` or `otel`."""
    labels: dict[str, str]


def read(clean: Callable[[str], str]) -> Environment:
    """Reads ANCHOR_* and, where those are not set, OpenTelemetry's variables."""
    fields: dict[str, str] = {}
    sources: dict[str, str] = {}
    for name, value in _otel_fields().items():
        fields[name], sources[name] = clean(value), "otel"
    for name, variable in _VARIABLES.items():
        if os.environ.get(variable):
            fields[name], sources[name] = clean(os.environ[variable]), "environment"
    labels = pairs(os.environ.get("ANCHOR_LABELS", ""))
    kept = list(labels.items())[:_LABEL_LIMIT]
    return Environment(fields, sources, {clean(name): clean(value) for name, value in kept})


def pairs(text: str) -> dict[str, str]:
    """`k=v,k=v` as a dict.

    Entries without `=` are left out (they are reported by `anchor policy check`).
    """
    entries = (part.partition("=") for part in text.split(","))
    return {key.strip(): value.strip() for key, found, value in entries if found and key.strip()}


def _otel_fields() -> dict[str, str]:
    attributes = pairs(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    if os.environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = os.environ["OTEL_SERVICE_NAME"]
    fields: dict[str, str] = {}
    for key, name in _RESOURCE_ATTRIBUTES.items():
        if attributes.get(key):
            fields.setdefault(name, attributes[key])
    return fields
