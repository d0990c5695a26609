"""Judges one receipt field by field: who, how much, at what price; pure.

A charge can be defended when identity, usage and price are each proven: by whom the call was made
(team and service at least), by usage that the provider itself told, by a rate that is on record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

ENOUGH, WEAK, MISSING = "enough", "weak", "missing"
IDENTITY, USAGE, PRICE = "identity", "usage", "price"
_OTHER = "__other__"


class Evidence(NamedTuple):
    """What a charge rests on; columns of the report's receipts, None where nobody said."""

    receipt_id: str
    occurred_at: datetime
    """UTC, without a zone."""
    team: str | None
    service: str | None
    environment: str | None
    request_id: str | None
    trace_id: str | None
    sources: str | None
    """JSON object: field -> source."""
    policy_status: str
    policy_problems: str | None
    provider: str
    provider_host: str | None
    provider_account: str
    api_key_id: str | None
    outcome: str | None
    billable: bool
    parent_receipt_id: str | None
    usage_source: str | None
    usage_mismatch: bool | None
    total_tokens: int | None
    response_id: str | None
    provider_request_id: str | None
    model: str | None
    price_status: str | None
    unpriced_meters: str | None
    """What was used and has no rate, joined by a comma."""
    rate_card_id: str | None
    estimated_cost_usd: Decimal | None
    anchored_cost: Decimal | None
    anchored_currency: str | None
    invoice_id: str | None
    match_level: str | None


class Check(NamedTuple):
    """One piece of evidence."""

    area: str
    """identity | usage | price."""
    field: str
    value: str | None
    source: str | None
    """Where it came from; None where that says nothing."""
    verdict: str
    """enough | weak | missing."""
    mend: str | None
    """What to do; None where nothing is to be done."""


class Audit(NamedTuple):
    """The verdict on one receipt."""

    evidence: Evidence
    checks: tuple[Check, ...]

    @property
    def is_defensible(self) -> bool:
        """Whether nothing that a charge needs is missing."""
        return all(check.verdict != MISSING for check in self.checks)

    @property
    def verdict(self) -> str:
        """In words."""
        if not self.is_defensible:
            return "not defensible"
        weak = any(check.verdict == WEAK for check in self.checks)
        return "defensible, with reservations" if weak else "defensible"


def audit_evidence(evidence: Evidence) -> Audit:
    """All checks of one receipt, in the order identity, usage, price."""
    checks = (*_identity(evidence), *_usage(evidence), *_price(evidence))
    return Audit(evidence, tuple(checks))


def _identity(seen: Evidence) -> Iterator[Check]:
    sources = json.loads(seen.sources or "{}")
    for field in ("team", "service"):
        value = getattr(seen, field)
        if value is None:
            given = f"attribute({field}=...), ANCHOR_{field.upper()} or a [[rule]] of anchor.toml"
            yield Check(IDENTITY, field, None, None, MISSING, f"{given}; anchor policy release")
        # Somebody is named, and nobody can be charged: the cap on headers has cut the name off.
        elif value == _OTHER:
            seen_by = "headers brought more than 1,000 values in one process; see who sends them"
            yield Check(IDENTITY, field, value, sources.get(field), MISSING, seen_by)
        else:
            yield Check(IDENTITY, field, value, sources.get(field), ENOUGH, None)
    # Weak, not missing: the charge finds its team all the same.
    mend = None if seen.environment else "ANCHOR_ENVIRONMENT: staging may be charged as production"
    verdict = ENOUGH if seen.environment else WEAK
    yield Check(
        IDENTITY, "environment", seen.environment, sources.get("environment"), verdict, mend
    )
    yield _joinable(seen, sources)
    yield _payer(seen)
    if seen.policy_problems is not None:
        yield _policy(seen)


def _joinable(seen: Evidence, sources: dict[str, str]) -> Check:
    field = "request_id" if seen.request_id else "trace_id"
    value = getattr(seen, field)
    if value is not None:
        return Check(IDENTITY, field, value, sources.get(field), ENOUGH, None)
    mend = "run it in a supported framework or under attribute(request_id=...): joins with no log"
    return Check(IDENTITY, "request_id", None, None, WEAK, mend)


def _payer(seen: Evidence) -> Check:
    if seen.provider == "unmapped":
        mend = f'say who invoices: under [hosts] of anchor.toml "{seen.provider_host}" = "PROVIDER"'
        return Check(IDENTITY, "provider", seen.provider_host, "host", MISSING, mend)
    value = "/".join(filter(None, (seen.provider, seen.provider_account)))
    return Check(IDENTITY, "provider", value, "host", ENOUGH, None)


def _policy(seen: Evidence) -> Check:
    # What is held is charged to nobody, so there is no charge to defend yet.
    verdict = {"held": MISSING, "reported": WEAK}.get(seen.policy_status, ENOUGH)
    mend = "say whose it is: anchor policy release" if verdict != ENOUGH else None
    return Check(IDENTITY, "policy", seen.policy_problems, seen.policy_status, verdict, mend)


def _usage(seen: Evidence) -> Iterator[Check]:
    if not seen.billable:
        other = seen.parent_receipt_id
        told = f"audit {other}, which bills it" if other else None
        yield Check(USAGE, "billable", "no", None, WEAK, told)
    yield _counted(seen)
    if seen.usage_mismatch:
        compare = "the provider's own counts do not add up: compare them with its usage page"
        yield Check(USAGE, "sum", "differs", "provider", WEAK, compare)
    proof = seen.response_id or seen.provider_request_id
    mend = None if proof else "the provider gave no id to ask about; keep the request id of a proxy"
    yield Check(USAGE, "provider's id", proof, "answer", ENOUGH if proof else WEAK, mend)


def _counted(seen: Evidence) -> Check:
    tokens = f"{seen.total_tokens} tokens" if seen.total_tokens is not None else seen.usage_source
    if seen.usage_source == "provider":
        return Check(USAGE, "usage", tokens, "provider", ENOUGH, None)
    if seen.usage_source in ("partial", "estimated"):
        mend = "read streams to their end, so that the provider tells the usage"
        return Check(USAGE, "usage", tokens, seen.usage_source, WEAK, mend)
    mend = f"the call ended as {seen.outcome!r} without usage: only the invoice can tell its cost"
    return Check(USAGE, "usage", None, seen.usage_source, MISSING, mend)


def _price(seen: Evidence) -> Iterator[Check]:
    # Told apart from a model without a rate: another price would not mend it.
    if seen.usage_source == "absent" and seen.price_status in (None, "unpriced"):
        yield Check(PRICE, "rate", None, seen.price_status, MISSING, "no usage to price, see above")
    elif seen.price_status in (None, "unpriced"):
        model, provider = seen.model or "MODEL", seen.provider
        rates = "--input PRICE/1M --output PRICE/1M"
        command = f"anchor prices set {model} --provider {provider} {rates}"
        yield Check(PRICE, "rate", None, seen.price_status, MISSING, command)
    else:
        cost = seen.estimated_cost_usd
        text = f"{_plain(cost)} USD" if cost is not None else None
        lacking = seen.unpriced_meters
        partly = f"no rate for {lacking}: that part is in no estimate" if lacking else None
        yield Check(PRICE, "rate", text, seen.price_status, WEAK if lacking else ENOUGH, partly)
    if seen.invoice_id is None:
        later = "no invoice of this period yet: anchor invoices import"
        yield Check(PRICE, "invoice", None, None, WEAK, later)
        return
    cost = seen.anchored_cost or Decimal(0)
    amount = f"{_plain(cost)} {seen.anchored_currency} of {seen.invoice_id}"
    # Shared over all calls of the provider, dear models and cheap ones alike.
    coarse = seen.match_level == "provider"
    mend = "the invoice names no model or key: import its detailed lines" if coarse else None
    yield Check(PRICE, "invoice", amount, seen.match_level, WEAK if coarse else ENOUGH, mend)


def _plain(amount: Decimal) -> str:
    """An amount without the zeros that only its storage needs."""
    return f"{amount.normalize():f}"
