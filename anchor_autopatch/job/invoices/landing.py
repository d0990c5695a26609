"""The one shape that every billing source lands in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = (
    "CHARGE_CATEGORIES",
    "Authority",
    "Invoice",
    "InvoiceLine",
    "exact",
    "landed",
    "make_invoice",
)

CHARGE_CATEGORIES = (
    "usage",
    "credit",
    "tax",
    "fee",
    "adjustment",
    "rounding",
    "commitment",
    "refund",
)

NANO = Decimal("1e-9")
# The default context cuts at 28 digits; DECIMAL(38, 12) holds 38.
_MONEY = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Authority:
    """Whose total is the control total where several sources speak of one scope."""

    COST_API = 1
    INVOICE_FILE = 2
    TYPED = 3


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of an invoice; None where the source does not say. Amounts are in `currency`."""

    amount: Decimal
    """Rounded half-even to 1e-9."""
    amount_text: str
    """As the source wrote it."""
    currency: str
    period_start: datetime
    """UTC, inclusive."""
    period_end: datetime
    """UTC, exclusive."""
    line_id: str = ""
    """As the source names it; empty until `make_invoice` hashes the dimensions."""
    charge_category: str = "usage"
    description: str | None = None
    service: str | None = None
    model_raw: str | None = None
    meter: str | None = None
    tier: str | None = None
    region: str | None = None
    project: str | None = None
    api_key: str | None = None
    user_id: str | None = None
    tags: str | None = None
    """JSON object."""
    quantity: Decimal | None = None
    """Single tokens or units, never thousands."""
    quantity_unit: str | None = None
    list_amount: Decimal | None = None
    is_final: bool = True
    row: int | None = field(default=None, compare=False)
    """Line of the file that it came from; for messages."""
    document_sha256: str | None = field(default=None, compare=False)
    """Document that says so, where an invoice is made of several; else its invoice's own."""

    def dimensions(self) -> tuple[str, ...]:
        """What tells this line from the others of its invoice, apart from its amount."""
        values = (
            self.period_start.isoformat(),
            self.period_end.isoformat(),
            self.charge_category,
            self.description,
            self.service,
            self.model_raw,
            self.meter,
            self.tier,
            self.region,
            self.project,
            self.api_key,
            self.user_id,
            self.tags,
        )
        return tuple(value or "" for value in values)


class Invoice(NamedTuple):
    """One invoice, or what a cost API says about one period; its lines all have its currency."""

    invoice_id: str
    source: str
    authority: int
    provider: str
    account: str
    period: str
    """YYYY-MM."""
    currency: str
    minor_units: int
    lines: tuple[InvoiceLine, ...]
    days: tuple[tuple[datetime, datetime], ...] | None = None
    """Half-open UTC days that a cost API speaks of, each restated by later payloads; None for an
    invoice that is what it is as a whole."""
    snapshot: bool = False
    """A month as far as it goes: a later export takes its place unasked."""

    @property
    def total(self) -> Decimal:
        """Sum of the lines, rounded half-even to the minor unit."""
        exact_sum = sum((line.amount for line in self.lines), Decimal(0))
        return exact(exact_sum, Decimal(1).scaleb(-self.minor_units))

    @property
    def is_detailed(self) -> bool:
        """Whether a line names what it charges for, so that the lines can break a total down."""
        return any(
            line.model_raw or line.meter or line.project or line.api_key for line in self.lines
        )

    @property
    def unmatched(self) -> tuple[InvoiceLine, ...]:
        """Usage of which no word was understood: it is divided over all calls of the provider."""
        return tuple(
            line
            for line in self.lines
            if line.charge_category == "usage"
            and line.amount
            and line.description
            and not (line.model_raw or line.meter)
        )

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the lines, whatever their order."""
        rows = sorted((line.line_id, format(line.amount, "f")) for line in self.lines)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def exact(amount: Decimal, unit: Decimal) -> Decimal:
    """An amount as a whole number of `unit`, rounded half-even."""
    return amount.quantize(unit, context=_MONEY)


def landed(amount: Decimal) -> Decimal:
    """An amount as it lands: rounded half-even to 1e-9, which removes float artefacts."""
    return exact(amount, NANO)


def make_invoice(head: Invoice, lines: Iterable[InvoiceLine]) -> Invoice:
    """The invoice with these lines, each with an id: its own, else a hash of its dimensions."""
    named = [replace(line, line_id=line.line_id or _hashed(line.dimensions())) for line in lines]
    seen: dict[str, int] = {}
    # A source may send lines that nothing but the amount tells apart; numbered by amount, they
    # keep their ids in whatever order the next export has them.
    for place in sorted(range(len(named)), key=lambda at: (named[at].line_id, named[at].amount)):
        line = named[place]
        seen[line.line_id] = count = seen.get(line.line_id, 0) + 1
        if count > 1:
            named[place] = replace(line, line_id=f"{line.line_id}-{count}")
    return head._replace(lines=tuple(named))


def _hashed(dimensions: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(dimensions).encode()).hexdigest()[:16]
