"""The rules that each period was divided by, kept with it: key map, bucket policies, calendars.

A frozen month is divided again when late receipts come. It must not be by what `anchor.toml` says
by then, or a policy of next year would move money of this one; so the rules are frozen, too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.allocation.policies import AppKey, Commitment, Policies, Policy
from anchor_autopatch.job.allocation.statements import statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

__all__ = ("KeyMap", "keep_rules", "rules_of")


class KeyMap(NamedTuple):
    """What `anchor.toml` says about API keys, so that lines can match by project or key."""

    projects: Mapping[str, str]
    """Fingerprint of a key -> project as invoices name it."""
    keys: Mapping[str, str]
    """Fingerprint of a key -> key id as invoices name it."""


def keep_rules(con: duckdb.DuckDBPyConnection, keys: KeyMap, policies: Policies) -> None:
    """Notes by what the periods of this run are divided, in place of the run before."""
    sql = statements()
    con.execute(sql["forget_rules"])
    con.execute(sql["keep_rules"], {"document": to_document(keys, policies)})


def rules_of(con: duckdb.DuckDBPyConnection, period: str) -> tuple[KeyMap, Policies] | None:
    """By what a period was divided last; None = before rules were kept."""
    row = con.execute(statements()["rules"], {"period": period}).fetchone()
    return None if row is None else from_document(row[0])


def to_document(keys: KeyMap, policies: Policies) -> str:
    """The rules as JSON, the same text for the same rules."""
    document = {
        "projects": dict(keys.projects),
        "keys": dict(keys.keys),
        "buckets": {name: [each.name, each.shares] for name, each in policies.buckets.items()},
        "commitments": policies.commitments,
        "time_zones": dict(policies.time_zones),
    }
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


def from_document(document: str) -> tuple[KeyMap, Policies]:
    """The rules as `to_document` wrote them."""
    told = json.loads(document)
    buckets = {
        name: Policy(policy, tuple((AppKey(*app), weight) for app, weight in shares))
        for name, (policy, shares) in told["buckets"].items()
    }
    commitments = tuple(Commitment(*each) for each in told["commitments"])
    return KeyMap(told["projects"], told["keys"]), Policies(
        buckets, commitments, told["time_zones"]
    )
