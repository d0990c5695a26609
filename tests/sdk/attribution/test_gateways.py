"""The operator's gateways are told who a call is for, nobody else is; callers' headers stay."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from anchor_autopatch import attribute
from anchor_autopatch.host.request_context import Request
from tests.host.support import run_python
from tests.sdk.hooked.test_plain_calls import ASK
from tests.sdk.raw.ways import every_way

pytestmark = pytest.mark.filterwarnings("ignore")
ANSWER = json.dumps(
    {"id": "r", "object": "chat.completion", "model": "gpt-4o", "choices": [], "created": 1,
     "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
).encode()  # fmt: skip
JSON = {"content-type": "application/json"}
CHAT = {"model": "gpt-4o", "messages": ASK}
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def gateway(server, policy):
    """A gateway that the policy lists."""
    server.answer(ANSWER, headers=JSON)
    host = server.url.removeprefix("http://")
    policy(f'[outbound]\ngateways = ["{host}"]\n[inbound]\ntrusted_networks = ["unix"]\n')
    return server


def ours(headers):
    return {name: text for name, text in headers.items() if name.startswith(("x-owner", "trace"))}


@every_way
def test_gateway_is_told_team_and_receipt(way, gateway, one_receipt):
    with attribute(team="search", service="bot", environment="staging", feature="a b"):
        way.plain(f"{gateway.url}/v1/chat/completions", CHAT)

    assert ours(gateway.headers[0]) == {
        "x-owner-team": "search",
        "x-owner-product": "bot",
        "x-owner-env": "staging",
        "x-owner-receipt-id": one_receipt().receipt_id,
    }


_IS_HOOKED = """
import sys, anchor_autopatch
client = __import__(sys.argv[1]).Client
anchor_autopatch.current()
print(*(hasattr(each, "_anchor_original") for each in (client.send, client._send_single_request)))
"""


@pytest.mark.parametrize(
    ("rules", "hooked"),
    [
        ("", "True False"),
        ("[inbound]\ntrusted_networks = ['unix']\n", "True False"),
        ("[outbound]\ngateways = ['gateway.internal']\n", "True True"),
    ],
)
def test_redirects_are_hooked_only_where_there_are_gateways(rules, hooked, tmp_path):
    (tmp_path / "anchor.toml").write_text(rules)
    library = "httpx2" if find_spec("httpx2") else "httpx"

    done = run_python("-c", _IS_HOOKED, library, home=tmp_path)

    assert done.stdout.strip() == hooked


@every_way
def test_other_hosts_are_told_nothing(way, server, policy, one_receipt):
    server.answer(ANSWER, headers=JSON)
    policy('[outbound]\ngateways = ["gateway.internal"]\n')

    with attribute(team="search"):
        way.plain(f"{server.url}/v1/chat/completions", CHAT)

    assert ours(server.headers[0]) == {}
    assert one_receipt().team == "search"


@every_way
def test_redirect_takes_the_headers_nowhere_else(way, gateway):
    elsewhere = f"http://localhost:{gateway.url.rpartition(':')[2]}/v1/chat/completions"
    gateway.answers.insert(0, type(gateway.answers[0])((b"x",), {"location": elsewhere}, 307))

    with attribute(team="search"):
        way.plain(f"{gateway.url}/v1/chat/completions", CHAT)

    told = [("x-owner-team" in headers) for headers in gateway.headers]
    assert told[0] is True
    assert True not in told[1:]


@every_way
def test_request_that_is_no_provider_call_is_left_alone(way, gateway):
    with attribute(team="search"):
        way.plain(f"{gateway.url}/health", {})

    assert ours(gateway.headers[0]) == {}


class TestSDKs:
    @pytest.fixture
    def client(self, gateway):
        import openai

        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-test", max_retries=1) as made:
            yield made

    def test_trace_and_request_go_on(self, client, gateway):
        sent = {"traceparent": TRACE, "x-owner-request-id": "req-1"}

        with Request(header=sent.get, peer="unix"):
            client.chat.completions.create(**CHAT)

        told = ours(gateway.headers[0])
        assert told["traceparent"].startswith(f"00-{'a' * 32}-")
        assert told["traceparent"] != TRACE
        assert told["x-owner-request-id"] == "req-1"

    def test_header_of_the_caller_stays(self, client, gateway):
        given = {"X-Owner-Team": "mine", "Traceparent": TRACE}

        with attribute(team="search", service="bot"):
            client.with_options(
                default_headers={"x-owner-product": "theirs"}
            ).chat.completions.create(**CHAT, extra_headers=given)

        told = ours(gateway.headers[0])
        assert (told["x-owner-team"], told["x-owner-product"]) == ("mine", "theirs")
        assert told["traceparent"] == TRACE
        assert given == {"X-Owner-Team": "mine", "Traceparent": TRACE}

    def test_every_try_of_a_call_names_the_same_receipt(self, client, gateway, one_receipt):
        gateway.answers.insert(0, type(gateway.answers[0])((b"{}",), JSON, 500))

        with attribute(team="search"):
            client.chat.completions.create(**CHAT)

        told = {headers["x-owner-receipt-id"] for headers in gateway.headers}
        assert (len(gateway.headers), told) == (2, {one_receipt().receipt_id})

    def test_request_of_the_application_is_given_back_as_it_was(self, gateway):
        httpx = pytest.importorskip("httpx")
        with httpx.Client() as client, attribute(team="search"):
            request = client.build_request("POST", f"{gateway.url}/v1/chat/completions", json=CHAT)
            before = dict(request.headers)

            client.send(request)

        assert dict(request.headers) == before
        assert gateway.headers[0]["x-owner-team"] == "search"
