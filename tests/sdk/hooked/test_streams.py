"""A streamed call leaves one receipt however its stream ends, and the stream is the SDK's own."""

from __future__ import annotations

import asyncio
import gc
import json
import types

import pytest
from pydantic import BaseModel

from anchor_autopatch.host.capture import streams
from anchor_autopatch.host.providers import stainless
from anchor_autopatch.host.providers.openai import sdk as openai_family

ASK = [{"role": "user", "content": "hello there"}]
CLIENTS = {"openai": "openai_client", "anthropic": "anthropic_client", "gemini": "gemini_client"}
STREAMS = {
    "chat": (
        "openai",
        lambda c: c.chat.completions.create(model="gpt-4o", messages=ASK, stream=True),
    ),
    "responses": ("openai", lambda c: c.responses.create(model="gpt-4o", input="hi", stream=True)),
    "messages": (
        "anthropic",
        lambda c: c.messages.create(model="claude-x", max_tokens=50, messages=ASK, stream=True),
    ),
    "gemini": (
        "gemini",
        lambda c: c.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"),
    ),
}
cases = pytest.mark.parametrize("kind", STREAMS)
closable = pytest.mark.parametrize("kind", ["chat", "responses", "messages"])


class RefusedError(Exception):
    """What a host says that knows no stream options."""

    status_code = 400


@pytest.fixture
def start(request, kind):
    """Starts the stream of this case."""
    provider, begin = STREAMS[kind]
    client = request.getfixturevalue(CLIENTS[provider])
    return lambda: begin(client)


@cases
def test_consumed_stream_carries_the_billed_usage(start, simulator, one_receipt):
    for _ in start():
        pass

    receipt, (billed,) = one_receipt(), simulator.ledger()
    assert json.loads(receipt.raw_usage).items() >= billed["usage"].items()
    assert (receipt.outcome, receipt.stream, receipt.http_status) == ("ok", 1, 200)
    assert (receipt.usage_source, receipt.billable) == ("provider", 1)
    assert receipt.response_id == billed["response_id"]


@cases
def test_duration_lasts_to_the_end_of_the_stream(start, simulator, one_receipt):
    simulator.script(chunk_delay=0.02, chunks=5)

    list(start())

    assert one_receipt().duration_us > 80_000


@cases
def test_broken_off_stream_is_partial(start, receipts):
    stream = iter(start())
    next(stream)
    assert receipts() == []

    del stream
    gc.collect()

    (receipt,) = receipts()
    assert (receipt.outcome, receipt.billable) == ("partial", 1)


@closable
def test_closed_stream_is_partial_at_once(start, one_receipt):
    stream = start()
    next(iter(stream))

    stream.close()

    assert one_receipt().outcome == "partial"


@closable
def test_leaving_the_with_block_ends_the_call(start, one_receipt):
    with start() as stream:
        next(iter(stream))

    assert one_receipt().outcome == "partial"


@closable
def test_stream_never_started_is_partial(start, one_receipt):
    stream = start()
    del stream
    gc.collect()

    receipt = one_receipt()
    assert (receipt.outcome, receipt.usage_source) == ("partial", "estimated")
    assert json.loads(receipt.price_facts)["seen_chunks"] == 0


def test_gemini_stream_never_started_sends_nothing(gemini_client, simulator, receipts):
    stream = STREAMS["gemini"][1](gemini_client)
    del stream
    gc.collect()

    assert (receipts(), simulator.requests()) == ([], [])


@cases
@pytest.mark.parametrize("failure", ["break@2", "cut@2"])
def test_stream_that_breaks_is_a_partial_receipt_and_event(
    start, simulator, one_receipt, one_event, failure
):
    simulator.script(fail=failure)

    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        list(start())

    event, receipt = one_event(), one_receipt()
    assert (event.event_class, event.receipt_id) == ("partial_stream", receipt.receipt_id)
    assert (receipt.outcome, receipt.billable) == ("partial", 1)


@closable
def test_error_event_in_the_stream_is_recorded(start, simulator, one_receipt, one_event):
    simulator.script(fail="error_event@2")

    with pytest.raises(Exception, match="Simulated"):
        list(start())

    assert one_event().event_class == "partial_stream"
    assert one_receipt().outcome == "partial"


@closable
def test_nothing_is_left_open_after_a_stream(start):
    list(start())
    gc.collect()

    assert streams._open.entries == {}


@cases
def test_two_streams_at_once_are_not_mixed(start, simulator, receipts):
    pairs = list(zip(start(), start(), strict=True))

    assert pairs
    ids = {row["response_id"] for row in simulator.ledger()}
    assert {receipt.response_id for receipt in receipts()} == ids


def partial_input(receipt):
    return json.loads(receipt.raw_usage)["input_tokens"], receipt.usage_source


def test_broken_off_message_keeps_its_input_side(anthropic_client, simulator, one_receipt):
    simulator.script(usage={"input_tokens": 321})

    with STREAMS["messages"][1](anthropic_client) as stream:
        next(iter(stream))

    assert partial_input(one_receipt()) == (321, "partial")
    assert "output_tokens" not in json.loads(one_receipt().raw_usage)


class TestIncludeUsage:
    """Chat streams are asked for usage on a copy of the request; what that adds is hidden."""

    @pytest.fixture
    def chat(self, openai_client):
        return lambda **options: list(
            openai_client.chat.completions.create(
                model="gpt-4o", messages=ASK, stream=True, **options
            )
        )

    @pytest.mark.parametrize("options", [{}, {"stream_options": {}}, {"n": 2}])
    def test_our_usage_chunk_stays_hidden(self, chat, one_receipt, options):
        chunks = chat(**options)

        assert all(chunk.choices for chunk in chunks)
        assert one_receipt().usage_source == "provider"

    def test_every_choice_finishes(self, chat):
        chunks = chat(n=2)

        ended = [c.choices[0].index for c in chunks if c.choices[0].finish_reason]
        assert sorted(ended) == [0, 1]

    def test_own_choice_of_usage_is_kept(self, chat, one_receipt):
        chunks = chat(stream_options={"include_usage": True})

        assert chunks[-1].choices == []
        assert json.loads(one_receipt().raw_usage) == chunks[-1].usage.model_dump(
            exclude_unset=True
        )

    def test_own_choice_of_no_usage_is_kept(self, chat, one_receipt):
        chunks = chat(stream_options={"include_usage": False})

        assert all(chunk.usage is None and chunk.choices for chunk in chunks)
        assert (one_receipt().usage_source, one_receipt().raw_usage) == ("estimated", None)

    def test_callers_dict_is_not_touched(self, chat):
        mine = {}

        chat(stream_options=mine)

        assert mine == {}

    def test_unmapped_host_is_not_asked(self, chat, monkeypatch, one_receipt):
        from anchor_autopatch.host.capture import sites

        monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "")
        sites.forget()

        chat()

        assert (one_receipt().provider, one_receipt().usage_source) == ("unmapped", "estimated")

    @pytest.mark.parametrize("refusal", ["reject_stream_options", "reject_stream_options_422"])
    def test_refusing_host_is_remembered(self, chat, simulator, receipts, events, refusal):
        simulator.script(fail=refusal, times=None)

        assert [len(chat()), len(chat())] == [len(chat())] * 2

        assert len(simulator.requests()) == 4  # one refusal, three answers
        assert [r.outcome for r in receipts()] == ["ok"] * 3
        assert events() == []

    def test_hosts_without_end_do_not_fill_the_memory(self):
        adapter = stainless.Adapter(openai_family.FAMILY)
        refusal = RefusedError("unknown field stream_options")

        for number in range(3 * stainless._REFUSING_LIMIT):
            place = types.SimpleNamespace(host=f"host-{number}")
            assert adapter.refused_injection(
                types.SimpleNamespace(injected=stainless._ALONE, site=place), refusal
            )

        assert 0 < len(adapter._refusing) <= stainless._REFUSING_LIMIT

    def test_refusal_of_the_callers_own_option_is_not_the_hosts(self, chat, simulator, one_receipt):
        simulator.script(fail="reject_stream_options")
        with pytest.raises(Exception, match="stream_options"):
            chat(stream_options={"include_obfuscation": False})

        chat()

        assert one_receipt().usage_source == "provider"

    def test_hundred_duplicate_last_chunks_count_once(self, chat, simulator, one_receipt):
        simulator.script(fail="duplicate_last")

        chat()

        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]


class TestHelpers:
    """Every other way to the same stream."""

    def test_chat_stream_helper(self, openai_client, one_receipt, simulator):
        with openai_client.chat.completions.stream(model="gpt-4o", messages=ASK) as stream:
            answer = stream.get_final_completion()

        assert answer.usage is None
        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]

    def test_responses_stream_helper(self, openai_client, one_receipt):
        with openai_client.responses.stream(model="gpt-4o", input="hi") as stream:
            answer = stream.get_final_response()

        assert one_receipt().response_id == answer.id

    def test_messages_stream_helper(self, anthropic_client, one_receipt, simulator):
        with anthropic_client.messages.stream(
            model="claude-x", max_tokens=50, messages=ASK
        ) as stream:
            text = "".join(stream.text_stream)

        assert text
        assert json.loads(one_receipt().raw_usage).items() >= simulator.ledger()[0]["usage"].items()

    @pytest.mark.parametrize("kind", ["chat", "responses", "messages"])
    def test_closed_helper_ends_the_call_at_once(self, request, kind, receipts):
        helper = {
            "chat": lambda c: c.chat.completions.stream(model="gpt-4o", messages=ASK),
            "responses": lambda c: c.responses.stream(model="gpt-4o", input="hi"),
            "messages": lambda c: c.messages.stream(model="c", max_tokens=9, messages=ASK),
        }[kind]

        with helper(request.getfixturevalue(CLIENTS[STREAMS[kind][0]])) as stream:
            next(iter(stream))

        assert [receipt.outcome for receipt in receipts()] == ["partial"]

    def test_parse(self, openai_client, one_receipt):
        class Point(BaseModel):
            x: int

        answer = openai_client.chat.completions.parse(
            model="gpt-4o", messages=ASK, response_format=Point
        )

        assert one_receipt().response_id == answer.id

    @pytest.mark.parametrize("kind", ["chat", "responses", "messages"])
    def test_raw_response(self, request, kind, one_receipt, simulator):
        client = request.getfixturevalue(CLIENTS[STREAMS[kind][0]])
        raw = {
            "chat": lambda: client.chat.completions.with_raw_response,
            "responses": lambda: client.responses.with_raw_response,
            "messages": lambda: client.messages.with_raw_response,
        }[kind]()
        asked = {"input": "hi"} if kind == "responses" else {"messages": ASK}
        asked |= {"max_tokens": 9} if kind == "messages" else {}

        answer = raw.create(model="m", **asked).parse()

        assert one_receipt().response_id == answer.id
        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]

    def test_raw_response_stream(self, openai_client, one_receipt, simulator):
        raw = openai_client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=ASK, stream=True
        )

        chunks = list(raw.parse())

        assert all(chunk.choices for chunk in chunks)
        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]

    def test_streaming_response_parsed(self, openai_client, one_receipt):
        with openai_client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=ASK
        ) as response:
            answer = response.parse()

        assert (one_receipt().response_id, one_receipt().usage_source) == (answer.id, "provider")

    @pytest.mark.parametrize("read", ["iter_bytes", "iter_lines", "iter_text"])
    def test_streaming_response_read_piecewise(self, openai_client, one_receipt, simulator, read):
        with openai_client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=ASK
        ) as response:
            assert list(getattr(response, read)())

        receipt = one_receipt()
        assert (receipt.billable, receipt.http_status, receipt.outcome) == (1, 200, "ok")
        assert json.loads(receipt.raw_usage) == simulator.ledger()[0]["usage"]

    @pytest.mark.parametrize("read", ["iter_bytes", "iter_lines", "iter_text"])
    def test_async_streaming_response_read_piecewise(self, one_receipt, simulator, read):
        async def main():
            import openai

            client = openai.AsyncOpenAI(base_url=f"{simulator.openai}/v1", api_key="k")
            create = client.chat.completions.with_streaming_response.create
            async with client, create(model="gpt-4o", messages=ASK) as response:
                return [piece async for piece in getattr(response, read)()]

        assert asyncio.run(main())

        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]

    def test_lines_of_a_stream_with_usage_of_the_callers_own(
        self, openai_client, one_receipt, simulator
    ):
        with openai_client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=ASK, stream=True, stream_options={"include_usage": True}
        ) as response:
            assert list(response.iter_lines())

        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]
        assert one_receipt().usage_source == "provider"

    def test_streaming_response_of_a_stream(self, openai_client, receipts):
        with openai_client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=ASK, stream=True
        ) as response:
            lines = [line for line in response.iter_lines() if line]

        assert not any('"choices":[]' in line for line in lines)
        assert len(receipts()) == 1

    @pytest.mark.parametrize("as_type", [object, dict[str, object]])
    def test_post_with_the_callers_own_chunk_type(self, openai_client, receipts, events, as_type):
        import openai

        for _ in range(2):
            stream = openai_client.post(
                "/chat/completions",
                cast_to=as_type,
                body={"model": "gpt-4o", "messages": ASK, "stream": True},
                stream=True,
                stream_cls=openai.Stream[as_type],
            )
            assert all(chunk["choices"] for chunk in stream)

        assert [receipt.usage_source for receipt in receipts()] == ["provider"] * 2
        assert events() == []

    @pytest.mark.parametrize("as_type", ["object", "httpx"])
    def test_post_reaches_a_plain_answer(self, openai_client, one_receipt, simulator, as_type):
        raw = openai_client.models.with_raw_response.list()
        cast_to = object if as_type == "object" else type(raw.http_response)

        openai_client.post(
            "/chat/completions", cast_to=cast_to, body={"model": "gpt-4o", "messages": ASK}
        )

        assert json.loads(one_receipt().raw_usage) == simulator.ledger()[0]["usage"]
