"""Incidents whose alerts are sent, with the clock in the test's hand."""

from __future__ import annotations

from datetime import timedelta

from anchor_autopatch.job.delivery.queue import attempts, chain_breaks, deliveries
from anchor_autopatch.job.delivery.sending import Sender
from tests.job.incidents.support import START, World
from tests.job.outboxes import event


class Alerted(World):
    """A world that tells of its incidents."""

    def __init__(self, home, sinks, environ=None):
        super().__init__(home, sinks)
        self.environ = environ or {}

    def fail(self, number=1, **after):
        """An application fails, and a run commits what is to be told of it."""
        failed = event(number, event_class="auth", code=f"key-{number}")
        return self.happen(failed).look(**(after or {"minutes": 1}))

    def send(self, budget_s=5.0, **after):
        """Sends what is due, so long after START."""
        sender = Sender(self.settings.alerts, self.environ, budget_s=budget_s)
        now = START + timedelta(**after)
        return self.within(lambda store: sender.send_due(store, self.home, now))

    def deliveries(self):
        """Messages, oldest first."""
        return self.within(lambda store: deliveries(store.con))[::-1]

    def attempts(self):
        """Tries, in order."""
        return self.within(lambda store: attempts(store.con))

    def chain_breaks(self):
        """What is off in the chain of tries."""
        return self.within(lambda store: chain_breaks(store.con))
