"""Mode reject: a call that lacks what the policy requires is refused, unsent and unwrapped."""

from __future__ import annotations

import asyncio
import json

import openai
import pytest

from anchor_autopatch import AttributionRequired, attribute
from anchor_autopatch.host import patching
from tests.sdk.hooked import tapes
from tests.sdk.hooked import test_native_sdks as native
from tests.sdk.raw.ways import every_way

pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]
REJECT = '[policy]\nmode = "reject"\nrequired = ["team"]\n'
CLIENTS = {"openai": "openai_client", "anthropic": "anthropic_client", "gemini": "gemini_client"}
CALLS = {
    "openai chat": lambda c: c.chat.completions.create(model="gpt-4o", messages=ASK),
    "openai stream": lambda c: c.chat.completions.create(model="gpt-4o", messages=ASK, stream=True),
    "openai raw": lambda c: c.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=ASK
    ),
    "openai background": lambda c: c.responses.create(model="gpt-4o", input="x", background=True),
    "openai batch": lambda c: c.batches.create(
        input_file_id="f", endpoint="/v1/chat/completions", completion_window="24h"
    ),
    "anthropic message": lambda c: c.messages.create(model="claude-x", max_tokens=9, messages=ASK),
    "anthropic stream": lambda c: c.messages.stream(
        model="claude-x", max_tokens=9, messages=ASK
    ).__enter__(),
    "gemini content": lambda c: c.models.generate_content(
        model="gemini-2.5-flash", contents="hello"
    ),
    "gemini stream": lambda c: next(
        c.models.generate_content_stream(model="gemini-2.5-flash", contents="hello")
    ),
    "gemini async stream": lambda c: asyncio.run(_read(c)),
}


async def _read(client):
    try:
        stream = await client.aio.models.generate_content_stream(
            model="gemini-2.5-flash", contents="hello"
        )
        return [chunk async for chunk in stream]
    finally:
        await client.aio.aclose()


@pytest.fixture
def rejecting(policy):
    policy(REJECT)


@pytest.mark.parametrize("name", CALLS)
def test_call_without_its_team_is_never_sent(request, rejecting, simulator, name):
    client = request.getfixturevalue(CLIENTS[name.partition(" ")[0]])
    if hasattr(client, "with_options"):
        client = client.with_options(max_retries=3)

    with pytest.raises(AttributionRequired, match="'team' is missing") as raised:
        CALLS[name](client)

    assert (raised.value.__cause__, simulator.ledger()) == (None, [])


@pytest.mark.parametrize("name", CALLS)
def test_call_with_its_team_is_made(request, rejecting, simulator, name):
    client = request.getfixturevalue(CLIENTS[name.partition(" ")[0]])

    with attribute(team="search"):
        try:
            CALLS[name](client)
        except openai.NotFoundError:
            # The simulator knows no batches. It was asked, which is what counts.
            assert name == "openai batch"


def test_refusal_leaves_an_event_and_no_receipt(rejecting, openai_client, one_event, receipts):
    with pytest.raises(AttributionRequired):
        openai_client.responses.create(model="gpt-4o", input="x")

    event = one_event()
    assert (event.event_class, event.operation) == ("attribution_required", "responses")
    assert "'team' is missing" in event.message
    assert receipts() == []


def test_refusal_is_no_fault_of_ours(rejecting, openai_client):
    for _ in range(patching.FAULT_LIMIT + 1):
        with pytest.raises(AttributionRequired):
            openai_client.responses.create(model="gpt-4o", input="x")

    assert patching._faults == {}
    assert patching.off == set()


def test_what_costs_nothing_is_let_through(rejecting, openai_client):
    assert openai_client.models.list().data


def test_environment_chooses_the_mode(policy, openai_client, one_receipt):
    policy('[policy]\nrequired = ["team"]\nmodes = { production = "reject" }\n')

    with attribute(environment="staging"):
        openai_client.responses.create(model="gpt-4o", input="x")
    with attribute(environment="production"), pytest.raises(AttributionRequired):
        openai_client.responses.create(model="gpt-4o", input="x")

    assert one_receipt().environment == "staging"


def test_value_outside_the_vocabulary_is_refused(policy, openai_client):
    policy('[policy]\nmode = "reject"\n[vocabulary]\nteams = ["search"]\n')

    with (
        attribute(team="saerch"),
        pytest.raises(AttributionRequired, match=r"'saerch' \(known: search\)"),
    ):
        openai_client.responses.create(model="gpt-4o", input="x")


def test_quarantine_and_report_refuse_nothing(policy, openai_client, receipts):
    for mode in ("report", "quarantine"):
        policy(f'[policy]\nmode = "{mode}"\nrequired = ["team"]\n')
        openai_client.responses.create(model="gpt-4o", input="x")

    assert len(receipts()) == 2


def test_rule_gives_what_is_required(policy, openai_client, one_receipt):
    policy(REJECT + "[[rule]]\ncall_site = 'tests.sdk.attribution.*'\nteam = 'tests'\n")

    openai_client.responses.create(model="gpt-4o", input="x")

    assert one_receipt().team == "tests"
    assert json.loads(one_receipt().attribution_source) == {"team": "rule"}


def test_bedrock_is_refused(rejecting):
    client = tapes.bedrock(b"{}")

    with pytest.raises(AttributionRequired):
        client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "x"}]}])


@pytest.mark.parametrize("stream", [False, True])
def test_cohere_is_refused(rejecting, receipts, stream):
    client = native.cohere({}, content_type="text/event-stream")

    ask = client.chat_stream if stream else client.chat
    with pytest.raises(AttributionRequired):
        list(ask(model="command-r", messages=native.TURN))

    assert receipts() == []


@every_way
def test_call_of_no_sdk_is_refused(way, rejecting, simulator):
    with pytest.raises(AttributionRequired):
        way.plain(f"{simulator.openai}/v1/responses", {"model": "gpt-4o", "input": "x"})

    assert simulator.ledger() == []


class TestLiteLLM:
    @pytest.fixture(autouse=True)
    def _addresses(self, rejecting, simulator, monkeypatch):
        for name, value in simulator.environment().items():
            if name != "ANCHOR_PROVIDER_HOSTS":
                monkeypatch.setenv(name, value)

    @pytest.fixture(params=["openai/gpt-4o", "anthropic/claude-x"])
    def options(self, request, simulator):
        base = simulator.anthropic if "claude" in request.param else f"{simulator.openai}/v1"
        return {"model": request.param, "messages": ASK, "api_base": base, "num_retries": 3}

    def test_refused_as_it_is(self, options, simulator, events):
        litellm = pytest.importorskip("litellm")

        with pytest.raises(AttributionRequired):
            litellm.completion(**options)

        assert (simulator.ledger(), len(events())) == ([], 1)

    def test_refused_as_it_is_async(self, options, simulator, events):
        litellm = pytest.importorskip("litellm")

        with pytest.raises(AttributionRequired):
            asyncio.run(litellm.acompletion(**options))

        assert (simulator.ledger(), len(events())) == ([], 1)

    def test_router_does_not_try_again(self, options, simulator, events):
        litellm = pytest.importorskip("litellm")
        given = {name: options[name] for name in ("model", "api_base")}
        router = litellm.Router(
            model_list=[{"model_name": "any", "litellm_params": given}], num_retries=3
        )

        with pytest.raises(AttributionRequired):
            router.completion(model="any", messages=ASK)

        assert (simulator.ledger(), len(events())) == ([], 1)

    def test_key_rule_may_give_what_the_outer_layer_cannot_know(self, options, policy, receipts):
        litellm = pytest.importorskip("litellm")
        policy(REJECT + "[[rule]]\nhost = '127.0.0.1'\nteam = 'gateway'\n")

        litellm.completion(**options)

        assert [receipt.team for receipt in receipts()] == ["gateway"]
