"""What must be true: a plain dictionary of every row that a writer acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Model:
    """The truth beside the real files; knows nothing of SQLite or DuckDB."""

    receipts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """receipt_id -> (service, raw_usage), as acknowledged."""
    events: dict[str, str] = field(default_factory=dict)
    """event_id -> service."""
    at_risk: set[str] = field(default_factory=set)
    """Ids in files that were damaged before they were shipped: each must arrive whole, or not."""
    damaged: int = 0
    """Files that were damaged; each must be named."""

    def must_arrive(self) -> set[str]:
        """Ids of receipts that no damage can excuse."""
        return self.receipts.keys() - self.at_risk

    def events_must_arrive(self) -> set[str]:
        """Ids of exception events that no damage can excuse."""
        return self.events.keys() - self.at_risk
