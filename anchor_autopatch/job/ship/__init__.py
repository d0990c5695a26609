"""Ship: rows leave the outboxes for a destination, with the effect of exactly once."""

from anchor_autopatch.job.ship.report import ShipReport
from anchor_autopatch.job.ship.shipping import find_exporter, ship, ship_to

__all__ = (
    "ShipReport",
    "find_exporter",
    "ship",
    "ship_to",
)
