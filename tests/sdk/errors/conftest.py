"""Real SDKs with the hook on, refused in every way; what becomes of it the job's code judges."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from anchor_autopatch.core.alerting.rules import AlertRules
from anchor_autopatch.job.incidents.evaluating import evaluate
from anchor_autopatch.job.incidents.intake import from_outboxes
from anchor_autopatch.job.incidents.rules import IncidentRules
from anchor_autopatch.job.incidents.store import Store
from tests.host.fixtures import events, home, one_event, one_receipt, receipts
from tests.sdk import leftovers
from tests.sdk.hooked.conftest import (
    _anthropic_client,
    _gemini_client,
    _openai_client,
    _settled,
    anthropic_client,
    forget_refusals,
    gemini_client,
    openai_client,
)
from tests.sdk.raw.server import Server

__all__ = [
    "_anthropic_client",
    "_gemini_client",
    "_openai_client",
    "_settled",
    "anthropic_client",
    "events",
    "gemini_client",
    "home",
    "one_event",
    "one_receipt",
    "openai_client",
    "receipts",
]


@pytest.fixture(autouse=True)
def _nothing_left_over(_settled, home):
    """Ends what a test leaves open; refusing hosts are forgotten."""
    yield
    leftovers.end()
    forget_refusals()


@pytest.fixture
def incidents(home):
    """A function that looks into the outboxes, as the side-car does: (class, severity) of each."""

    def look():
        # What was written this instant is not from the future, however coarse the clock is.
        now = datetime.now(UTC) + timedelta(seconds=1)
        with Store(home) as store:
            evaluate(
                store,
                lambda: from_outboxes(store, [home], {}),
                IncidentRules(),
                AlertRules(),
                now,
            )
            return sorted((each.event_class, each.severity) for each in store.incidents())

    return look


@pytest.fixture
def bedrock():
    """(server, client): boto3 as it is, sending over a real socket; one try."""
    boto3 = pytest.importorskip("boto3")
    from botocore.config import Config

    with Server() as server:
        client = boto3.client(
            "bedrock-runtime",
            region_name="eu-west-1",
            endpoint_url=server.url,
            aws_access_key_id="AKIATEST",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )
        yield server, client
        client.close()


@pytest.fixture
def litellm(home, simulator, monkeypatch):
    """The module, its routes leading to the simulator; only in the world that has it."""
    module = pytest.importorskip("litellm")
    for name, value in simulator.environment().items():
        if name != "ANCHOR_PROVIDER_HOSTS":
            monkeypatch.setenv(name, value)
    monkeypatch.setitem(os.environ, "LITELLM_LOCAL_MODEL_COST_MAP", "True")
    return module
