"""Real outboxes and a real incidents.db, with the clock in the test's hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from anchor_autopatch.core.alerting.rules import AlertRules, Sink
from anchor_autopatch.job.incidents.rules import IncidentRules
from anchor_autopatch.job.incidents.running import Settings, look_into_outboxes
from anchor_autopatch.job.incidents.store import Store
from tests.job.outboxes import START_US, left_behind

START = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=START_US)
OPS = Sink("ops", "webhook", url="https://ops.example/hook")


class World:
    """A home, its outboxes and its incidents."""

    def __init__(self, home, sinks=()):
        self.home = home
        self.settings = Settings(IncidentRules(), AlertRules(tuple(sinks)))
        self.files = 0

    def happen(self, *records):
        """Leaves an outbox with these records; returns the world."""
        self.files += 1
        left_behind(self.home, *records, name=f"writer-{self.files}")
        return self

    def look(self, **after):
        """One run of the side-car, so long after START."""
        with Store(self.home) as store:
            return look_into_outboxes(store, [self.home], self.settings, START + timedelta(**after))

    def incidents(self):
        """All incidents, first seen first."""
        with Store(self.home) as store:
            return sorted(store.incidents(), key=lambda each: each.first_seen_us)

    def only(self):
        """The one incident there is."""
        (found,) = self.incidents()
        return found

    def within(self, work):
        """What `work` gives for the open store."""
        with Store(self.home) as store:
            return work(store)
