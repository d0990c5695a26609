"""Every call of the xAI SDK that costs leaves one receipt with the counts that gRPC carried."""

from __future__ import annotations

import asyncio
import datetime
import gc
import json

import grpc
import pytest
import xai_sdk
from pydantic import BaseModel, ValidationError
from xai_sdk.chat import user

import anchor_autopatch
from tests.sdk.sessions.grpc_server import USAGE, Server

KEY = "xai-test-0123456789abcdef"
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
SOON = datetime.timedelta(milliseconds=5)


class Answer(BaseModel):
    text: str


@pytest.fixture(scope="session")
def server_process():
    with Server() as server:
        yield server


@pytest.fixture
def server(server_process):
    server_process.state.reset()
    return server_process


@pytest.fixture
def client(home, server):
    with xai_sdk.Client(KEY, api_host=server.host, use_insecure_channel=True, timeout=60) as client:
        yield client


def with_async(server, run):
    """Runs a coroutine function with an asynchronous client."""

    async def main():
        async with xai_sdk.AsyncClient(
            KEY, api_host=server.host, use_insecure_channel=True, timeout=60
        ) as client:
            return await run(client)

    return asyncio.run(main())


def chat(client):
    return client.chat.create(model="grok-4", messages=[user("a secret question")])


async def read_all(stream):
    return [step async for step in stream]


def parsed(client, server):
    server.state.text = '{"text": "yes"}'
    return chat(client).parse(Answer)


PLAIN = {
    "sample": lambda c, s: chat(c).sample(),
    "sample_batch": lambda c, s: chat(c).sample_batch(3),
    "parse": parsed,
    "stream": lambda c, s: list(chat(c).stream()),
    "stream_batch": lambda c, s: list(chat(c).stream_batch(2)),
    "defer": lambda c, s: chat(c).defer(interval=SOON),
    "defer_batch": lambda c, s: chat(c).defer_batch(2, interval=SOON),
    "compact": lambda c, s: chat(c).compact(),
    "compact_context": lambda c, s: c.chat.compact_context("grok-4", [user("hi")]),
}


def async_of(name):
    def run(server):
        async def main(client):
            made = PLAIN[name]
            if name.startswith("stream"):
                steps = chat(client).stream() if name == "stream" else chat(client).stream_batch(2)
                return await read_all(steps)
            return await made(client, server)

        return with_async(server, main)

    return run


@pytest.fixture(params=["sync", "async"])
def run(request, home, server):
    """Makes one of the calls above, synchronously or not."""

    def make(name):
        if request.param == "async":
            return async_of(name)(server)
        with xai_sdk.Client(KEY, api_host=server.host, use_insecure_channel=True) as client:
            return PLAIN[name](client, server)

    return make


@pytest.mark.parametrize("name", PLAIN)
def test_call_leaves_one_receipt_with_its_usage(run, one_receipt, name):
    run(name)

    receipt = one_receipt()
    assert json.loads(receipt.raw_usage) == USAGE
    assert (receipt.provider, receipt.operation, receipt.usage_shape) == (
        "xai",
        "chat",
        "xai.sampling",
    )
    assert (receipt.outcome, receipt.billable, receipt.usage_source) == ("ok", 1, "provider")


def test_receipt_says_where_and_under_which_model(run, server, one_receipt):
    run("sample")

    receipt = one_receipt()
    assert (receipt.provider_host, receipt.sdk) == (server.host, "xai-sdk")
    assert (receipt.request_model, receipt.response_model) == ("grok-4", "grok-4-0709")
    assert receipt.response_id == "grok-1"
    assert json.loads(receipt.price_facts) == {"service_tier": "default"}


def test_call_site_and_attribution_are_the_callers(run, one_receipt):
    with anchor_autopatch.attribute(team="search"):
        run("sample")

    receipt = one_receipt()
    assert receipt.team == "search"
    assert "test_xai" in receipt.call_site


def test_key_and_prompt_are_nowhere_on_disk(run, home):
    run("stream")

    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"secret question" not in stored
    assert KEY.encode() not in stored


@pytest.mark.parametrize("asynchronous", [False, True])
def test_images_carry_their_count_and_exact_cost(client, server, one_receipt, asynchronous):
    if asynchronous:
        with_async(server, lambda c: c.image.sample_batch("a cat", "grok-image", 2))
    else:
        client.image.sample_batch("a cat", "grok-image", 2)

    receipt = one_receipt()
    assert json.loads(receipt.price_facts)["images"] == 2
    assert json.loads(receipt.raw_usage) == {"cost_in_usd_ticks": 700_000_000}
    assert receipt.operation == "image_generation"


def test_video_is_one_receipt_over_all_its_polls(client, server, one_receipt):
    server.state.polls = 2

    client.video.generate(prompt="a cat", model="grok-video", interval=SOON)

    receipt = one_receipt()
    assert json.loads(receipt.price_facts)["video_seconds"] == 6
    assert (receipt.operation, receipt.response_id) == ("video", "video-1")


def test_video_fetched_again_is_not_billed_again(client, server, receipts):
    server.state.polls = 0
    request_id = client.video.start(prompt="a cat", model="grok-video").request_id

    client.video.get(request_id)
    client.video.get(request_id)

    assert len(receipts()) == 1


def test_request_fetched_elsewhere_leaves_its_attribution(client, one_receipt):
    client.video.start(prompt="a cat", model="grok-video")

    leave_pending()

    receipt = one_receipt()
    assert (receipt.billable, receipt.response_id) == (0, "video-1")
    assert '"unfinished":true' in receipt.price_facts


def leave_pending():
    """Does what the end of the process does with deferred requests."""
    from xai_sdk.proto import video_pb2_grpc

    wrapped = video_pb2_grpc.VideoStub.__init__
    names = wrapped.__code__.co_freevars
    channels = wrapped.__closure__[names.index("self")].cell_contents
    call = channels._kinds[False, False].__call__
    adapter = call.__closure__[call.__code__.co_freevars.index("adapter")].cell_contents
    adapter._leave_pending()


def test_batch_results_bill_once_for_the_submitter(client, receipts):
    with anchor_autopatch.attribute(team="night"):
        client.batch.create("nightly")

    client.batch.list_batch_results("batch-1")
    client.batch.list_batch_results("batch-1")

    found = sorted((r.response_id, r.team, r.billable, r.price_facts) for r in receipts())
    facts = '{"batch":true,"batch_id":"batch-1","retrieved":true,"service_tier":"default"}'
    assert found == [
        ("batch-1", "night", 0, '{"batch":true,"unfinished":true}'),
        ("grok-batched-1", "night", 1, facts),
        ("grok-batched-2", "night", 1, facts),
    ]


def test_free_calls_leave_nothing(client, receipts):
    with pytest.raises(grpc.RpcError):
        client.tokenize.tokenize_text(text="hi", model="grok-4")

    assert receipts() == []


def test_answer_without_usage_says_so(run, server, one_receipt):
    server.state.with_usage = False

    run("sample")

    receipt = one_receipt()
    assert (receipt.usage_source, receipt.raw_usage) == ("absent", None)


def test_answer_that_does_not_parse_is_billed(client, server, one_receipt):
    server.state.text = "no json"

    with pytest.raises(ValidationError):
        chat(client).parse(Answer)

    assert json.loads(one_receipt().raw_usage) == USAGE


@pytest.mark.parametrize("asynchronous", [False, True])
def test_stream_left_early_is_partial(client, server, one_receipt, asynchronous):
    async def leave(client):
        stream = chat(client).stream()
        await anext(stream)
        await stream.aclose()

    if asynchronous:
        with_async(server, leave)
    else:
        stream = chat(client).stream()
        next(stream)
        stream.close()
    gc.collect()

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source, receipt.billable) == ("partial", "partial", 1)
    assert json.loads(receipt.raw_usage)["completion_tokens"] == 10


def test_stream_never_started_sends_nothing(client, server, receipts):
    chat(client).stream()
    gc.collect()

    assert (receipts(), server.state.calls) == ([], [])


@pytest.mark.parametrize("name", ["stream", "stream_batch"])
def test_stream_that_breaks_is_a_partial_receipt_and_event(
    run, server, one_receipt, one_event, name
):
    server.state.break_after = 3

    with pytest.raises(grpc.RpcError):
        run(name)

    assert json.loads(one_receipt().raw_usage)["completion_tokens"] == 20
    event = one_event()
    assert (event.event_class, event.code) == ("partial_stream", "INTERNAL")
    assert event.receipt_id == one_receipt().receipt_id


FAILURES = {
    "RESOURCE_EXHAUSTED": "rate_limited",
    "UNAUTHENTICATED": "auth",
    "PERMISSION_DENIED": "auth",
    "NOT_FOUND": "model_gone",
    "INVALID_ARGUMENT": "bad_request",
    "INTERNAL": "provider_5xx",
    "DEADLINE_EXCEEDED": "timeout",
}


@pytest.mark.parametrize("code", FAILURES)
def test_status_code_decides_the_class(run, server, one_event, code):
    server.state.fail = [(grpc.StatusCode[code], f"refused with key {KEY}")]

    with pytest.raises(grpc.RpcError) as raised:
        run("sample")

    assert raised.value.code() is grpc.StatusCode[code]
    event = one_event()
    assert (event.event_class, event.code, event.provider) == (FAILURES[code], code, "xai")
    assert KEY not in event.message


@pytest.mark.parametrize(("code", "left"), [("RESOURCE_EXHAUSTED", 0), ("DEADLINE_EXCEEDED", 1)])
def test_failure_leaves_a_receipt_only_if_it_may_be_billed(run, server, receipts, code, left):
    server.state.fail = [(grpc.StatusCode[code], "no")]

    with pytest.raises(grpc.RpcError):
        run("sample")

    assert len(receipts()) == left


def test_retries_within_grpc_are_one_receipt(run, server, one_receipt, events):
    server.state.fail = [(grpc.StatusCode.UNAVAILABLE, "busy")]

    run("sample")

    assert server.state.calls == ["GetCompletion"] * 2
    assert (one_receipt().outcome, events()) == ("ok", [])


def test_host_that_nobody_listens_on_is_a_network_failure(home, one_event, receipts):
    options = [("grpc.enable_retries", 0)]
    with (
        xai_sdk.Client(
            KEY,
            api_host="127.0.0.1:9",
            use_insecure_channel=True,
            channel_options=options,
            timeout=60,
        ) as client,
        pytest.raises(grpc.RpcError),
    ):
        chat(client).sample()

    assert (one_event().event_class, receipts()) == ("network", [])


def test_expired_request_is_an_event(run, server, one_event):
    server.state.status = 2

    with pytest.raises(RuntimeError, match="expired"):
        run("defer")

    assert (one_event().event_class, one_event().code) == ("timeout", "expired")


def test_cancelled_call_leaves_a_receipt_of_unknown_usage(server, home, one_receipt):
    async def cancel(client):
        task = asyncio.ensure_future(chat(client).sample())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_async(server, cancel)

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source) == ("cancelled", "absent")


def test_unknown_host_is_unmapped(server, home, monkeypatch, one_receipt):
    monkeypatch.delenv("ANCHOR_PROVIDER_HOSTS")
    with xai_sdk.Client(KEY, api_host=server.host, use_insecure_channel=True) as client:
        chat(client).sample()

    assert one_receipt().provider == "unmapped"


def test_record_of_a_response_that_has_a_receipt_adds_none(client, receipts):
    response = chat(client).sample()

    anchor_autopatch.record(response, provider="xai")

    assert len(receipts()) == 1
