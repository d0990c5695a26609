"""Report, quarantine and reject from the application's call to the split of the bill."""

from __future__ import annotations

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.warehouse import open_warehouse
from examples.provider_sim import running
from tests.host.support import CHECKOUT, run_python
from tests.job.test_policy import costs, trail

pytestmark = pytest.mark.slow

# Two calls, one of a team and one of nobody; what is refused is told on the screen.
APPLICATION = """
import sys
import requests
import anchor_autopatch

def ask():
    answer = requests.post(sys.argv[1], json={"model": "gpt-4o", "messages": []}, timeout=60)
    answer.raise_for_status()

with anchor_autopatch.attribute(team="search"):
    ask()
try:
    ask()
except anchor_autopatch.AttributionRequired as refusal:
    print(refusal)
"""


@pytest.fixture(scope="module")
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def home(synced_home, monkeypatch):
    monkeypatch.setenv("ANCHOR_HOME", str(synced_home))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    return synced_home


def run(home, simulator, mode):
    """Runs the application and the job under a mode; what it printed, what the simulator billed."""
    simulator.reset()
    policy = f'[policy]\nrequired = ["team"]\nmodes = {{ production = "{mode}" }}\n'
    (home / "anchor.toml").write_text(policy, encoding="utf-8")
    done = run_python(
        "-c",
        APPLICATION,
        f"{simulator.openai}/v1/chat/completions",
        home=home,
        path=[CHECKOUT],
        ANCHOR_SERVICE="bot",
        ANCHOR_ENVIRONMENT="production",
        ANCHOR_PROVIDER_HOSTS=f"{simulator.openai.removeprefix('http://')}=openai",
    )
    return done.stdout, len(simulator.ledger())


def settle(home, now, total="2.00"):
    with open_warehouse(home) as con:
        add_total(con, TypedTotal("openai", f"{now:%Y-%m}", total, "USD"), now)
    assert main(["reconcile"]) in (0, 1)
    return sorted(costs(home), key=str)


@pytest.fixture
def now():
    from anchor_autopatch.job.clock import utc_now

    return utc_now()


def test_report_sends_and_charges(home, simulator, now):
    assert run(home, simulator, "report") == ("", 2)
    assert settle(home, now) == [("search", "bot", 1), (None, "bot", 1)]


def test_reject_sends_nothing_of_nobody(home, simulator, now):
    printed, sent = run(home, simulator, "reject")

    assert (sent, "'team' is missing" in printed) == (1, True)
    assert settle(home, now, "1.00") == [("search", "bot", 1)]


def test_quarantine_holds_until_a_correction_with_its_trail(home, simulator, now):
    assert run(home, simulator, "quarantine") == ("", 2)
    assert settle(home, now) == [("search", "bot", 1), (None, "__quarantined", 1)]

    words = [
        "--where",
        "service=bot",
        "--set",
        "team=support",
        "--by",
        "alice",
        "--reason",
        "asked",
    ]
    assert main(["policy", "release", *words]) == 0

    assert settle(home, now) == [("search", "bot", 1), ("support", "bot", 1)]
    (decision,) = trail(home)
    assert (decision.actor, decision.reason, decision.receipts) == ("alice", "asked", 1)
