"""How many receipts lack a field, service by service, and whether that gets better."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError, StoreError
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

FIELDS = (
    "team",
    "environment",
    "feature",
    "user_id",
    "request_id",
    "trace_id",
    "usage",
    "price",
    "policy",
)
"""What is looked for; `usage`: the provider told none, `price`: no rate, `policy`: a finding."""
# Without the others a charge is harder to trace, but can be defended.
_NEEDED = ("team", "usage", "price", "policy")


class ServiceFields(NamedTuple):
    """One service in one period."""

    service: str | None
    receipts: int
    missing: Mapping[str, int]
    """Field -> receipts without it."""
    before: Mapping[str, int] | None
    """The same in the period before, in 1/1000 of its receipts; None = it had none."""

    def permille(self, field: str) -> int:
        """Receipts without the field, in 1/1000, rounded half up."""
        return _permille(self.missing[field], self.receipts)

    def trend(self, field: str) -> int | None:
        """Change since the period before, in 1/1000 of the receipts; below 0 is better."""
        return None if self.before is None else self.permille(field) - self.before[field]

    @property
    def needs_person(self) -> bool:
        """Whether something is missing without which a charge cannot be defended."""
        return self.service is None or any(self.missing[field] for field in _NEEDED)


def missing_fields(
    con: DuckDBPyConnection, period: str | None
) -> tuple[str, tuple[ServiceFields, ...]]:
    """The period (the newest when none is named) and its services.

    Raises:
        StoreError: there is no billable receipt at all.
        ConfigError: there is none in the period.
    """
    sql = load("audit")
    newest = con.execute(sql["newest_period"]).fetchone()
    if newest is None or newest[0] is None:
        raise StoreError("No billable receipt is published yet; run: anchor reconcile")
    asked: str = period or newest[0]
    rows = con.execute(sql["missing_fields"], {"period": asked}).fetchall()
    before = {
        service: {name: _permille(count, total) for name, count in zip(FIELDS, counts, strict=True)}
        for is_asked, service, total, *counts in rows
        if not is_asked
    }
    found = tuple(
        ServiceFields(service, total, dict(zip(FIELDS, counts, strict=True)), before.get(service))
        for is_asked, service, total, *counts in rows
        if is_asked
    )
    if not found:
        raise ConfigError(f"No billable receipt in period {asked!r}; the newest is {newest[0]!r}")
    return asked, found


def _permille(count: int, total: int) -> int:
    # In integers: half up is half up on every machine.
    return (count * 2_000 + total) // (2 * total)
