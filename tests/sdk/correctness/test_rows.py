"""The table of the calls that observers count wrongly: ours holds in every row.

`pytest -s` prints it.
"""

from __future__ import annotations

import json
import sys

import pytest

from tests.sdk.correctness.rows import CHAT, ROWS, TOKENS, Clients, is_here

TRUTH = (1234, 200)


def counted(receipt):
    """Tokens in and out as a receipt tells them; None where it says that they are not known."""
    if receipt.usage_source != "provider":
        return None
    usage = json.loads(receipt.raw_usage)
    if "promptTokenCount" in usage:
        out = usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
        return usage["promptTokenCount"], out
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    return read, usage.get("completion_tokens", usage.get("output_tokens"))


@pytest.fixture
def clients(openai_client, anthropic_client, gemini_client, simulator):
    return Clients(openai_client, anthropic_client, gemini_client, simulator)


@pytest.mark.filterwarnings("ignore")  # LiteLLM's own, while it works
@pytest.mark.parametrize("name", ROWS)
def test_receipt_tells_what_the_provider_bills(name, clients, simulator, receipts):
    row = ROWS[name]
    if not is_here(row):
        pytest.skip(f"{row.needs} is not in this SDK world")
    simulator.script(usage=TOKENS[row.provider], chunks=8, times=None)

    row.run(clients)

    billable = [receipt for receipt in receipts() if receipt.billable]
    told = [counted(receipt) for receipt in billable]
    sys.stdout.write(f"{name:34} billed {row.calls} x {TRUTH}, told {told}\n")
    expected = [TRUTH] * row.calls if row.whole else [TRUTH] * (row.calls - 1) + [None]
    assert sorted(told, key=str) == sorted(expected, key=str)


def test_pool_keeps_who_the_call_is_for(clients, one_receipt):
    ROWS["thread pool"].run(clients)

    assert one_receipt().team == "search"


def test_callers_arguments_are_as_they_were(clients):
    given = json.dumps(CHAT)

    ROWS["stream without include_usage"].run(clients)

    assert json.dumps(CHAT) == given


def test_application_sees_no_chunk_that_it_did_not_ask_for(clients):
    chunks = ROWS["stream of two choices"].run(clients)

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
