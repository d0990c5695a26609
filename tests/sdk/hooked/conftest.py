"""Real SDKs with the hook on, against the simulator; every test has an ANCHOR_HOME of its own."""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.host.fixtures import events, home, one_event, one_receipt, receipts
from tests.sdk import leftovers

__all__ = ["events", "home", "one_event", "one_receipt", "receipts"]

# Other tests of this session run with patched SDKs too: not into the user's own home.
os.environ.setdefault("ANCHOR_HOME", tempfile.mkdtemp(prefix="anchor-tests-"))
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import anchor_autopatch

anchor_autopatch.install()


@pytest.fixture(scope="session")
def _settled():
    """Keeps what the SDKs' imports made out of every later collection."""
    leftovers.end()


@pytest.fixture(autouse=True)
def _nothing_left_over(_settled, home):
    """Ends what a test leaves open, and forgets which hosts refused to tell usage."""
    yield
    leftovers.end()
    forget_refusals()


def forget_refusals():
    """Empties the memory that the patched openai has of refusing hosts."""
    import openai

    request = openai._base_client.SyncAPIClient.request
    names = request.__code__.co_freevars
    if "adapter" in names:
        request.__closure__[names.index("adapter")].cell_contents._refusing.clear()


@pytest.fixture(scope="session")
def _openai_client(simulator_process):
    import openai

    base_url = f"{simulator_process.openai}/v1"
    with openai.OpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def openai_client(home, simulator, _openai_client):
    """A synchronous openai client without retries: a copy, because making one takes 0.1 s."""
    return _openai_client.with_options()


@pytest.fixture(scope="session")
def _anthropic_client(simulator_process):
    import anthropic

    base_url = simulator_process.anthropic
    with anthropic.Anthropic(
        base_url=base_url, api_key="sk-ant-test", max_retries=0, timeout=60
    ) as client:
        yield client


@pytest.fixture
def anthropic_client(home, simulator, _anthropic_client):
    """A synchronous anthropic client without retries."""
    return _anthropic_client.with_options()


@pytest.fixture(scope="session")
def _gemini_client(simulator_process):
    from google import genai

    options = {"base_url": simulator_process.gemini, "timeout": 60_000}
    with genai.Client(api_key="gemini-test", http_options=options) as client:
        yield client


@pytest.fixture
def gemini_client(home, simulator, _gemini_client):
    """A google-genai client."""
    return _gemini_client
