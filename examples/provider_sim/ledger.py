"""What the simulator billed, one row per billed request, and a journal of every request it saw."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from examples.provider_sim.values import Json

# Bounded: benchmarks make a million calls. Charges are not, they are the truth.
JOURNAL_LENGTH = 200_000


@dataclass(frozen=True, slots=True)
class Charge:
    """One billed request; `model` is the name on the invoice, `amounts` are exact USD by meter."""

    at: datetime
    provider: str
    operation: str
    path: str
    requested_model: str
    model: str
    service_tier: str | None
    api_key_id: str | None
    project: str | None
    request_id: str
    response_id: str | None
    stream: bool
    usage: Json
    meters: Mapping[str, int]
    amounts: Mapping[str, Decimal]
    delivered: bool
    partial: bool = False
    fault: str | None = None

    @property
    def amount(self) -> Decimal:
        """The exact USD amount of this request."""
        return sum(self.amounts.values(), Decimal(0))

    def row(self, number: int) -> Json:
        """Return the charge as JSON values: amounts as decimal text, RFC 3339 UTC."""
        return {
            "row": number,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "provider": self.provider,
            "operation": self.operation,
            "path": self.path,
            "requested_model": self.requested_model,
            "model": self.model,
            "service_tier": self.service_tier,
            "api_key_id": self.api_key_id,
            "project": self.project,
            "request_id": self.request_id,
            "response_id": self.response_id,
            "stream": self.stream,
            "usage": self.usage,
            "meters": dict(self.meters),
            "amounts_usd": {meter: plain(amount) for meter, amount in self.amounts.items()},
            "amount_usd": plain(self.amount),
            "delivered": self.delivered,
            "partial": self.partial,
            "fault": self.fault,
        }


class Visit(NamedTuple):
    """One request as it arrived, billed or not."""

    at: datetime
    provider: str
    operation: str
    path: str
    model: str
    attempt: str | None
    outcome: str


class Ledger:
    """Charges in order of billing and visits in order of arrival."""

    def __init__(self) -> None:
        self._charges: list[Charge] = []
        self.visits: deque[Visit] = deque(maxlen=JOURNAL_LENGTH)

    def bill(self, charge: Charge) -> int:
        """Append a charge and return the number by which it can be revised."""
        self._charges.append(charge)
        return len(self._charges) - 1

    def revise(self, number: int, **changes: object) -> None:
        """Replace values of a charge while its request is still going on."""
        self._charges[number] = replace(self._charges[number], **changes)  # type: ignore[arg-type]  # caller's fields

    def charges(self) -> list[Charge]:
        """Return the charges so far."""
        return list(self._charges)

    def rows(self) -> list[Json]:
        """Return the charges as JSON values, numbered from 1."""
        return [charge.row(number) for number, charge in enumerate(self._charges, 1)]

    def visit_rows(self) -> list[Json]:
        """Return the journal as JSON values."""
        return [
            {**visit._asdict(), "at": visit.at.isoformat().replace("+00:00", "Z")}
            for visit in self.visits
        ]


def plain(amount: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
