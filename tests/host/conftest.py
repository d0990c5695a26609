"""The host half without any provider SDK."""

from tests.host.fixtures import events, home, one_event, one_receipt, policy, receipts

__all__ = ["events", "home", "one_event", "one_receipt", "policy", "receipts"]
