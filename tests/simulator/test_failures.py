"""What strikes, when, and who pays for it."""

from __future__ import annotations

import http.client
import json
import socket
import time

import pytest

from examples.provider_sim.failures import REFUSALS
from tests.simulator.wire import CHAT, GENERATE, MESSAGES, post, saying

PATHS = {"openai": CHAT, "anthropic": MESSAGES, "gemini": GENERATE}


@pytest.mark.parametrize("provider", PATHS)
@pytest.mark.parametrize("kind", [k for k in REFUSALS if not k.startswith("reject")])
def test_every_refusal_is_an_error_of_its_provider(simulator, provider, kind):
    body = {"model": "m", "max_tokens": 5, "messages": [], "contents": []}

    got = post(simulator.all, PATHS[provider], body, x_sim_fail=kind)

    error = got.json["error"]
    assert 400 <= got.status < 600
    assert error["message"].startswith("Simulated: ")
    assert error.get("code") == got.status or "type" in error
    assert simulator.ledger() == []


@pytest.mark.parametrize(
    ("failure", "headers"),
    [
        ("rate_limit", {"retry-after": "1", "retry-after-ms": "20"}),
        ('{"kind":"429","retry_after":300}', {"retry-after": "300", "retry-after-ms": "300000"}),
        ('{"kind":"503","headers":{"Retry-After":"7"}}', {"retry-after": "7"}),
    ],
)
def test_retry_after_is_in_the_headers(simulator, failure, headers):
    got = post(simulator.all, CHAT, saying("hi"), x_sim_fail=failure)

    assert {name: got.headers[name] for name in headers} == headers


def test_custom_failure_answers_what_it_is_given(simulator):
    failure = json.dumps({"kind": "custom", "status": 418, "body": {"error": {"code": "teapot"}}})

    got = post(simulator.all, CHAT, saying("hi"), x_sim_fail=failure)

    assert (got.status, got.json) == (418, {"error": {"code": "teapot"}})


def test_filtered_prompt_at_azure_has_an_inner_error(simulator):
    path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"

    error = post(simulator.all, path, saying("hi"), x_sim_fail="content_filter").json["error"]

    assert error["code"] == "content_filter"
    assert error["innererror"]["code"] == "ResponsibleAIPolicyViolation"


def test_failure_with_times_ends_for_the_same_request(simulator):
    statuses = [post(simulator.all, CHAT, saying("[[sim fail=500*2]]")).status for _ in range(4)]

    assert statuses == [500, 500, 200, 500]


def test_tries_of_different_requests_are_counted_apart(simulator):
    first = post(simulator.all, CHAT, saying("a [[sim fail=500*1]]")).status
    other = post(simulator.all, CHAT, saying("b [[sim fail=500*1]]")).status

    assert (first, other) == (500, 500)


def test_journal_keeps_failed_visits_too(simulator):
    for fail in ("500", "rate_limit"):
        post(simulator.all, CHAT, saying("hi"), x_sim_fail=fail, x_stainless_retry_count="1")
    post(simulator.all, CHAT, saying("hi"))

    outcomes = [(visit["outcome"], visit["attempt"]) for visit in simulator.requests()]
    assert outcomes == [("server_error", "1"), ("rate_limit", "1"), ("ok", None)]


def test_reset_comes_before_any_header(simulator):
    with pytest.raises(ConnectionResetError):
        post(simulator.all, CHAT, saying("hi"), x_sim_fail="reset")

    assert simulator.ledger() == []


def test_close_ends_the_connection_without_an_answer(simulator):
    with pytest.raises(http.client.RemoteDisconnected):
        post(simulator.all, CHAT, saying("hi"), x_sim_fail="close")


def test_timeout_is_bounded(simulator):
    started = time.monotonic()

    with pytest.raises(http.client.RemoteDisconnected):
        post(simulator.all, CHAT, saying("hi"), x_sim_fail='{"kind":"timeout","seconds":0.1}')

    assert 0.05 < time.monotonic() - started < 60


def test_timeout_may_be_billed_although_nobody_saw_it(simulator):
    failure = '{"kind":"timeout","seconds":0,"billed":true}'

    with pytest.raises(http.client.RemoteDisconnected):
        post(simulator.all, CHAT, saying("hi"), x_sim_fail=failure)

    (row,) = simulator.ledger()
    assert (row["delivered"], row["partial"], row["fault"]) == (False, False, "timeout")


USAGE = '{"prompt_tokens":100,"completion_tokens":80}'


@pytest.mark.parametrize(("after", "output"), [(0, 0), (1, 10), (4, 40), (8, 80)])
def test_interrupted_stream_bills_what_was_generated(simulator, after, output):
    body = saying(f"[[sim chunks=8 fail=truncate@{after} usage={USAGE}]]", stream=True)

    events = post(simulator.all, CHAT, body).events

    (row,) = simulator.ledger()
    assert sum(1 for e in events if e["choices"][0]["delta"].get("content")) == after
    assert row["meters"] == {"input": 100} | ({"output": output} if output else {})
    assert row["delivered"] is False


def test_stream_whose_last_chunk_comes_twice_is_billed_once(simulator):
    body = saying("hi", stream=True, stream_options={"include_usage": True})

    events = post(simulator.all, CHAT, body, x_sim_fail="duplicate_last").events

    assert events[-3] == events[-2]
    assert events[-3]["usage"]
    assert simulator.ledger()[0]["meters"]["output"] == events[-2]["usage"]["completion_tokens"]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_malformed_json_is_billed_all_the_same(simulator, path):
    got = post(simulator.all, path, saying("hi", max_tokens=5), x_sim_fail="malformed_json")

    with pytest.raises(ValueError, match="line 1"):
        _ = got.json
    assert len(simulator.ledger()) == 1


def test_body_that_is_no_json_is_refused(simulator):
    got = post(simulator.all, CHAT, b'{"model": ')

    assert got.status == 400
    assert got.json["error"]["message"] == "The request body is not valid JSON"


def test_client_that_leaves_is_billed_for_what_it_caused(simulator):
    prompt = f"[[sim chunks=80 chunk_delay=0.1 usage={USAGE}]]"
    body = json.dumps(saying(prompt, stream=True)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: sim\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    host, port = simulator.all.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port))) as caller:
        caller.sendall(head + body)
        received = b""
        while received.count(b'"content"') < 3:
            received += caller.recv(2000)

    row = _settled(simulator)
    assert 0 < row["meters"]["output"] < 80
    assert (row["partial"], row["delivered"]) == (True, False)


def _settled(simulator):
    """Return the only row once the server has seen the client leave and billed what it sent."""
    until = time.monotonic() + 60
    while not simulator.ledger()[0]["meters"].get("output") and time.monotonic() < until:
        time.sleep(0.05)
    return simulator.ledger()[0]
