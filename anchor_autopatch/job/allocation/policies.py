"""What becomes of money that no receipt explains: the section `[allocation]` of `anchor.toml`.

By default every bucket is held, which shows it under its own name. Spread, it stays in sight, too:
each application's part is a row of its own, which names the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import Mistakes
from anchor_autopatch.job.allocation.calendars import month_start
from anchor_autopatch.job.allocation.shares import allocate

__all__ = (
    "BUCKETS",
    "HOLD",
    "AppKey",
    "Commitment",
    "Policies",
    "Policy",
    "read_policies",
    "spread",
)

BUCKETS = {
    "unallocated": "__unallocated",
    "untracked": "__untracked",
    "idle": "__idle",
    "rounding": "__rounding",
}
"""Name in `anchor.toml` -> name as a service: no receipt matches | usage that the provider counted
beyond the receipts | paid capacity that nobody used | total minus lines."""

_HUNDRED_PERCENT = 100 * 10**6
_KEYS = ("buckets", "commitment", "time_zones")
_POLICIES = ("hold", "even", "proportional", "fixed", "owner")


class AppKey(NamedTuple):
    """Whom a part of a bucket goes to."""

    team: str | None
    service: str | None
    environment: str | None = None


class Policy(NamedTuple):
    """How a bucket is divided."""

    name: str
    """hold | even | proportional | fixed (an owner is a fixed share of everything)."""
    shares: tuple[tuple[AppKey, int], ...] = ()
    """Of a fixed policy: 1e-6 percent; what is left of 100 % is held."""


_POLICY_KEYS = ("policy", "shares", *AppKey._fields)
HOLD = Policy("hold")


class Commitment(NamedTuple):
    """Capacity that is paid whether it is used or not."""

    provider: str
    model: str | None
    """As the invoice writes it; None = any."""
    capacity_tokens: int
    """A month."""


class Policies(NamedTuple):
    """All of `[allocation]`."""

    buckets: Mapping[str, Policy] = {}
    """Bucket as a service -> how it is divided; held where it is not named."""
    commitments: tuple[Commitment, ...] = ()
    time_zones: Mapping[str, str] = {}
    """Provider -> time zone of its months, where the format of its invoices does not say so."""


def spread(
    amount: int, policy: Policy, apps: Sequence[tuple[AppKey, int]]
) -> list[tuple[AppKey | None, int]]:
    """Parts of a bucket, which sum to it; None = stays in the bucket.

    Args:
        amount: Whole units, may be negative.
        policy: What the bucket's owner decided.
        apps: Applications of the invoice and what they carry of it, in the same units.
    """
    if policy.name == "fixed":
        taken = sum(weight for _, weight in policy.shares)
        held: list[tuple[AppKey | None, int]] = [(None, _HUNDRED_PERCENT - taken)]
        weighed = [*policy.shares, *(held if taken < _HUNDRED_PERCENT else [])]
    elif policy.name == "even":
        weighed = [(app, 1) for app, _ in apps]
    elif policy.name == "proportional":
        weighed = [(app, weight) for app, weight in apps if weight > 0]
    else:
        weighed = []
    # Nobody to spread it over: it stays where it can be seen.
    if not weighed:
        return [(None, amount)]
    keys = [tuple(part or "" for part in app or ("",)) for app, _ in weighed]
    shares = allocate(amount, [weight for _, weight in weighed], keys)
    return [(app, share) for (app, _), share in zip(weighed, shares, strict=True) if share]


def read_policies(config: Mapping[str, object]) -> Policies:
    """The policies of a parsed `anchor.toml`.

    Raises:
        ConfigError: a bucket, a policy or a share that nobody can read.
    """
    table, wrong = _table(config.get("allocation", {}), "allocation"), Mistakes()
    wrong.known(table, _KEYS, "[allocation]")
    given = {
        name: wrong.read(_table, table.get(name, {}), f"allocation.{name}") or {}
        for name in ("buckets", "time_zones")
    }
    buckets = wrong.each(given["buckets"].items(), _bucket)
    listed = wrong.read(_list, table.get("commitment", [])) or []
    commitments = wrong.each(listed, _commitment)
    zones = wrong.each(given["time_zones"].items(), _time_zone)
    wrong.refuse()
    return Policies(dict(buckets), tuple(commitments), dict(zones))


def _bucket(named: tuple[str, object]) -> tuple[str, Policy]:
    name, value = named
    if name not in BUCKETS:
        raise ConfigError(f"Unknown bucket {name!r} in [allocation]; known: {_listed(BUCKETS)}")
    return BUCKETS[name], _policy(name, value)


def _list(commitments: object) -> list[object]:
    if not isinstance(commitments, list):
        raise ConfigError(f"Cannot use {commitments!r}; write [[allocation.commitment]]")
    return commitments


def _time_zone(named: tuple[str, object]) -> tuple[str, str]:
    provider, zone = named
    if not isinstance(zone, str):
        raise ConfigError(f"Cannot use {zone!r} as the time zone of {provider!r}; expected text")
    # Asked for here, so that a name nobody knows is told before anything is divided.
    month_start("2000-01", zone)
    return provider, zone


def _policy(bucket: str, value: object) -> Policy:
    rule = {"policy": value} if isinstance(value, str) else _table(value, f"buckets.{bucket}")
    name = rule.get("policy")
    # What is missing may be what is misspelt: a part with a key that nobody reads tells no more.
    _known(rule, _POLICY_KEYS, f"allocation.buckets.{bucket}")
    if name not in _POLICIES:
        raise ConfigError(f"Unknown policy {name!r} of {bucket!r}; known: {_listed(_POLICIES)}")
    if name == "owner":
        return Policy("fixed", ((_app(rule, bucket), _HUNDRED_PERCENT),))
    return Policy("fixed", _shares(bucket, rule)) if name == "fixed" else Policy(str(name))


def _shares(bucket: str, rule: Mapping[str, object]) -> tuple[tuple[AppKey, int], ...]:
    shares = rule.get("shares")
    if not isinstance(shares, list) or not shares:
        raise ConfigError(
            f"Policy 'fixed' of {bucket!r} needs shares = [{{service, percent}}, ...]"
        )
    wrong = Mistakes()
    read = wrong.each(shares, lambda share: _share(bucket, share))
    # Of all of them together nothing can be said before.
    wrong.refuse()
    if sum(weight for _, weight in read) > _HUNDRED_PERCENT:
        raise ConfigError(f"The shares of {bucket!r} sum to more than 100 percent")
    if len({app for app, _ in read}) != len(read):
        raise ConfigError(f"The shares of {bucket!r} name an application twice")
    return tuple(read)


def _share(bucket: str, value: object) -> tuple[AppKey, int]:
    share = _table(value, f"buckets.{bucket}.shares")
    _known(share, (*AppKey._fields, "percent"), f"allocation.buckets.{bucket}.shares")
    return _app(share, bucket), _percent(share.get("percent"), bucket)


def _app(rule: Mapping[str, object], bucket: str) -> AppKey:
    parts = [rule.get(field) for field in AppKey._fields]
    if not all(part is None or isinstance(part, str) for part in parts) or not any(parts):
        raise ConfigError(f"Who gets {bucket!r}? Give team, service or environment in quotes")
    return AppKey(*(None if part is None else str(part) for part in parts))


def _percent(value: object, bucket: str) -> int:
    try:
        # A float of TOML is read by its shortest text, which is what was written.
        percent = Decimal(str(value))
    except InvalidOperation:
        percent = Decimal("NaN")
    micro = percent * 10**6
    if not percent.is_finite() or not 0 < percent <= 100 or micro != int(micro):  # noqa: PLR2004
        raise ConfigError(f"Percent {value!r} of {bucket!r} is none; expected 0 to 100")
    return int(micro)


def _commitment(value: object) -> Commitment:
    table = _table(value, "allocation.commitment")
    _known(table, Commitment._fields, "allocation.commitment")
    provider, model = table.get("provider"), table.get("model")
    capacity = table.get("capacity_tokens")
    if not isinstance(provider, str) or not (model is None or isinstance(model, str)):
        raise ConfigError(f"Commitment {dict(table)!r} needs provider and model in quotes")
    if not isinstance(capacity, int) or isinstance(capacity, bool) or capacity <= 0:
        raise ConfigError(f"capacity_tokens {capacity!r} of {provider!r}: expected tokens a month")
    return Commitment(provider, model, capacity)


def _table(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"Cannot use {value!r} in anchor.toml; expected a table [{path}]")
    return value


def _known(table: Mapping[str, object], keys: Sequence[str], path: str) -> None:
    wrong = Mistakes()
    wrong.known(table, keys, f"[{path}]")
    wrong.refuse()


def _listed(names: Sequence[str] | Mapping[str, str]) -> str:
    return ", ".join(names)
