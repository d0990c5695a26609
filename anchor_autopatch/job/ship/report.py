"""What a run of the shipper moved and found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from anchor_autopatch.core.destinations import Loss, QuarantinedFile


@dataclass(slots=True)
class ShipReport:
    """What one run moved; counts of rows unless said otherwise."""

    outboxes: int = 0
    """Files seen."""
    live: int = 0
    """Files whose writer still runs."""
    receipts: int = 0
    events: int = 0
    duplicates: int = 0
    """Rows that the destination had already."""
    missing: int = 0
    corrupt: int = 0
    """Rows with a wrong checksum, or that are no valid record."""
    quarantined: list[QuarantinedFile] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    """One line per thing that a person should look at, quarantined files included."""
    busy: list[str] = field(default_factory=list)
    """Homes that another shipper was working on."""

    def add_loss(self, path: Path, loss: Loss) -> None:
        """Counts rows that an outbox numbered and nobody can have any more, and names them."""
        count = loss.last_seq - loss.first_seq + 1
        if loss.reason == "missing":
            self.missing += count
        else:
            self.corrupt += count
        span = f"rows {loss.first_seq} to {loss.last_seq}"
        self.findings.append(f"{str(path)!r}: {span} are {loss.reason}")
