"""What `anchor.toml` decides about attribution, as frozen values; the same for both halves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

REPORT = "report"
QUARANTINE = "quarantine"
REJECT = "reject"
MODES = (REPORT, QUARANTINE, REJECT)

FIELDS = (
    "team",
    "service",
    "feature",
    "environment",
    "region",
    "cost_center",
    "user_id",
    "request_id",
)
"""Fields of an attribution that a policy can require."""
RULE_FIELDS = ("team", "service", "feature", "environment", "region", "cost_center")
"""Fields that a rule can give; who a user is and which request it was is nothing to be ruled."""
CONDITIONS = ("route", "call_site", "task", "host", "api_key")
"""What a rule can look at."""
VOCABULARIES = {
    "teams": "team",
    "services": "service",
    "features": "feature",
    "environments": "environment",
    "cost_centers": "cost_center",
}
"""Name in `[vocabulary]` -> field."""
LABELS = {"teams": "team", "services": "service"}
"""Section that maps ids to labels -> field."""
PLACES = ("session", "user", "state", "environ", "task", "header")
"""Where a policy can say that a user's id is found."""


class Rule(NamedTuple):
    """Gives fields to the calls that meet all its conditions; earlier rules win, field by field."""

    conditions: Mapping[str, str]
    """What is looked at -> pattern, in which `*` stands for any characters."""
    fields: Mapping[str, str]


class Override(NamedTuple):
    """Another mode for some calls until an instant; None means any."""

    mode: str
    until_us: int
    """Microseconds since 1970-01-01 UTC, exclusive."""
    environment: str | None
    team: str | None
    service: str | None
    reason: str


class Inbound(NamedTuple):
    """Whose headers are believed, and where a request says who its user is."""

    networks: tuple[str, ...] = ()
    """CIDR blocks, and `unix` for Unix sockets."""
    max_age_seconds: int = 300
    """How far ahead a signature may expire at most."""
    user_id: tuple[str, str] | None = None
    """(place, name), the place one of PLACES."""
    request_id_header: str | None = None
    """Lower case."""


class Policy(NamedTuple):
    """Everything that `anchor.toml` says about attribution; the empty one asks for nothing."""

    mode: str = REPORT
    modes: Mapping[str, str] = {}
    """Environment -> mode, over `mode`."""
    overrides: tuple[Override, ...] = ()
    required: tuple[str, ...] = ()
    vocabularies: Mapping[str, frozenset[str]] = {}
    """Field -> its allowed values; no entry means any value."""
    rules: tuple[Rule, ...] = ()
    inbound: Inbound = Inbound()
    gateways: frozenset[str] = frozenset()
    """host[:port], lower case, of hosts that get our headers."""
    span_attributes: bool = False
    """Whether attribution and usage are put on the current OpenTelemetry span."""
    labels: Mapping[str, Mapping[str, str]] = {}
    """Field -> id -> label."""

    @property
    def may_refuse(self) -> bool:
        """Whether there is any call that this policy would refuse."""
        return REJECT in (self.mode, *self.modes.values(), *(each.mode for each in self.overrides))


class Problem(NamedTuple):
    """One thing in `anchor.toml` that cannot mean what it says."""

    path: tuple[str | int, ...]
    """Keys that lead to it; a number counts the tables of an array from 0."""
    text: str
    """What is wrong, with the value, what was expected and the mend."""
