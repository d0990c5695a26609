"""Judges receipts by the policy: what is missing, and what is held out of chargeback for it.

Open periods are judged anew in each run, with corrections applied, so a mended policy or a
correction counts at once; frozen ones keep what was found. Every policy that was ever judged by is
remembered, because changing it can release receipts, too.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.core.policy import Policy, read_policy
from anchor_autopatch.core.policy.budgets import read_spend_policy
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    from duckdb import DuckDBPyConnection


class JudgeReport(NamedTuple):
    """What one run found in open periods, in receipts."""

    found_count: int
    held_count: int


class HeldGroup(NamedTuple):
    """Held receipts that have these things in common."""

    period: str
    team: str | None
    service: str | None
    environment: str | None
    call_site: str | None
    problems: str
    receipts: int
    estimated_cost_usd: Decimal | None


def judge(con: DuckDBPyConnection, config: Mapping[str, Any], now: datetime) -> JudgeReport:
    """Judges every billable receipt of open periods, and takes over the labels.

    Args:
        con: Open warehouse with settled receipts.
        config: `anchor.toml`; what cannot be read in it is left out, see `policy_mistakes`.
        now: Aware; kept with a policy that is seen for the first time.
    """
    policy, _ = read_policy(config)
    with transaction(con):
        rejudge(con, policy, now)
        _keep_labels(con, policy)
        # Counted from what was written, open periods only.
        row = con.execute(load("policy")["counts"]).fetchone() or (0, 0)
    return JudgeReport(*row)


def rejudge(con: DuckDBPyConnection, policy: Policy, now: datetime) -> None:
    """Finds everything anew, inside the caller's transaction."""
    sql = load("policy")
    # Sorted, so that a file that was only put in another order is the same policy.
    document = json.dumps(_document(policy), sort_keys=True)
    digest = sha256(document.encode()).hexdigest()
    # Also where nothing is asked for any more: what was held for it is charged then.
    con.execute(sql["forget_findings"])
    if not policy.required and not policy.vocabularies:
        return
    version = {"policy_sha256": digest, "document": document, "now": naive_utc(now)}
    con.execute(sql["note_version"], version)
    # Lists that the statement unnests: DuckDB takes executemany row by row, 1,000 a second.
    words = [(field, word) for field, known in policy.vocabularies.items() for word in known]
    con.execute(sql["words"], {"field": [w[0] for w in words], "word": [w[1] for w in words]})
    modes = {"environment": list(policy.modes), "mode": list(policy.modes.values())}
    con.execute(sql["modes"], modes)
    con.execute(sql["overrides"], _overrides(policy))
    asked = {"required": list(policy.required), "mode": policy.mode, "policy_sha256": digest}
    con.execute(sql["judge"], asked)


def held_groups(con: DuckDBPyConnection, period: str | None = None) -> list[HeldGroup]:
    """What is held, of one period or of all."""
    rows = con.execute(load("policy")["held_groups"], {"period": period}).fetchall()
    return [HeldGroup(*row) for row in rows]


def find_policy(con: DuckDBPyConnection, config: Mapping[str, Any]) -> Iterator[str]:
    """The findings about attribution and unreadable values, one line each, with the mend."""
    problems = [*read_policy(config)[1], *read_spend_policy(config)[1]]
    if problems:
        where = ".".join(map(str, problems[0].path))
        yield (
            f"{len(problems)} {'mistakes' if len(problems) > 1 else 'mistake'} in anchor.toml, the "
            f"first in {where}: {problems[0].text}; anchor policy check lists them all"
        )
    for group in held_groups(con):
        who = " in ".join(filter(None, (group.service or "no service", group.environment)))
        where = f" from {group.call_site}" if group.call_site else ""
        cost = f"{group.estimated_cost_usd:.2f} USD" if group.estimated_cost_usd else "cost unknown"
        yield (
            f"{group.period}: {_receipts(group.receipts)} of {who}{where} held out of chargeback "
            f"({cost}): {group.problems}; say whose with anchor policy release"
        )
    for period, field, receipts in con.execute(load("policy")["reported_fields"]).fetchall():
        yield (
            f"{period}: {_receipts(receipts)} not as the policy asks in {field!r}; "
            "anchor audit --all shows of which services"
        )


def _receipts(count: int) -> str:
    return f"{count} receipt{'' if count == 1 else 's'}"


def _document(policy: Policy) -> dict[str, Any]:
    """Everything that decides a finding, in a form that is the same for the same policy."""
    return {
        "mode": policy.mode,
        "modes": dict(policy.modes),
        "overrides": [override._asdict() for override in policy.overrides],
        "required": sorted(policy.required),
        "vocabularies": {field: sorted(words) for field, words in policy.vocabularies.items()},
    }


def _overrides(policy: Policy) -> dict[str, list[Any]]:
    given = policy.overrides
    return {
        "override_no": list(range(len(given))),
        "mode": [override.mode for override in given],
        "until_us": [override.until_us for override in given],
        "environment": [override.environment for override in given],
        "team": [override.team for override in given],
        "service": [override.service for override in given],
    }


def _keep_labels(con: DuckDBPyConnection, policy: Policy) -> None:
    labels = [
        (field, name, label)
        for field, known in policy.labels.items()
        for name, label in known.items()
    ]
    # Today's labels for every month: people read labels, money is booked by ids.
    con.execute(load("policy")["forget_labels"])
    if labels:
        fields, ids, texts = (list(column) for column in zip(*labels, strict=True))
        con.execute(load("policy")["keep_labels"], {"field": fields, "id": ids, "label": texts})
