"""The real anthropic SDK parses every answer of the simulator and raises the right error class."""

from __future__ import annotations

import asyncio

import anthropic
import pytest

from examples.provider_sim import Simulator

MODEL = "claude-haiku-4-5"
ASK = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hello there"}]}
TOOL = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
def client(simulator: Simulator):
    with anthropic.Anthropic(
        base_url=simulator.anthropic, api_key="sk-ant-test", max_retries=0, timeout=60
    ) as client:
        yield client


def saying(text: str, **more: object) -> dict:
    return {**ASK, "messages": [{"role": "user", "content": text}], **more}


def billed(simulator: Simulator) -> dict[str, int]:
    (row,) = simulator.ledger()
    return row["meters"]


class TestMessages:
    def test_message_answers_with_the_billed_usage(self, client, simulator):
        answer = client.messages.create(**ASK)

        assert answer.model == "claude-haiku-4-5-20251001"
        assert billed(simulator) == {
            "uncached_input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        }

    def test_cache_counts_come_on_top(self, client, simulator):
        usage = (
            '{"input_tokens":7,"cache_read_input_tokens":100,'
            '"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":3}}'
        )

        answer = client.messages.create(**saying(f"hi [[sim usage={usage}]]"))

        assert answer.usage.cache_creation_input_tokens == 23
        assert billed(simulator) == {
            "uncached_input_tokens": 7,
            "cache_creation.ephemeral_5m_input_tokens": 20,
            "cache_creation.ephemeral_1h_input_tokens": 3,
            "cache_read_input_tokens": 100,
            "output_tokens": answer.usage.output_tokens,
        }

    def test_stream_starts_with_a_placeholder_and_ends_cumulative(self, client):
        events = list(client.messages.create(**ASK, stream=True))

        start = next(event for event in events if event.type == "message_start")
        delta = next(event for event in events if event.type == "message_delta")
        assert start.message.usage.output_tokens == 1
        assert delta.usage.output_tokens == 11
        assert getattr(delta.usage, "service_tier", None) is None

    def test_stream_helper_assembles_message_and_usage(self, client, simulator):
        with client.messages.stream(**ASK) as stream:
            texts = list(stream.text_stream)
            answer = stream.get_final_message()

        assert answer.content[0].text == "".join(texts)
        assert billed(simulator)["output_tokens"] == answer.usage.output_tokens

    def test_tool_is_used_once_then_answered(self, client):
        first = client.messages.create(**ASK, tools=[TOOL])
        use = first.content[-1]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}
        turns = [
            *ASK["messages"],
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ]
        second = client.messages.create(**{**ASK, "messages": turns}, tools=[TOOL])

        assert (first.stop_reason, use.input) == ("tool_use", {"city": "sim"})
        assert second.stop_reason == "end_turn"

    def test_streamed_tool_and_thinking_are_assembled(self, client):
        thinking = {"type": "enabled", "budget_tokens": 1024}

        with client.messages.stream(
            **{**ASK, "max_tokens": 2000}, tools=[TOOL], thinking=thinking
        ) as stream:
            answer = stream.get_final_message()

        assert [block.type for block in answer.content] == ["thinking", "tool_use"]
        assert answer.content[1].input == {"city": "sim"}

    def test_async_stream_parses(self, simulator):
        async def ask() -> int:
            async with (
                anthropic.AsyncAnthropic(base_url=simulator.anthropic, api_key="k") as client,
                client.messages.stream(**ASK) as stream,
            ):
                return (await stream.get_final_message()).usage.output_tokens

        assert asyncio.run(ask()) == billed(simulator)["output_tokens"]

    def test_free_calls_bill_nothing(self, client, simulator):
        counted = client.messages.count_tokens(model=MODEL, messages=ASK["messages"])
        listed = client.models.list()

        assert counted.input_tokens > 0
        assert any(model.id.startswith(MODEL) for model in listed.data)
        assert simulator.ledger() == []


REFUSED = [
    ("rate_limit", "RateLimitError", 429, "rate_limit_error"),
    ("spend_limit", "RateLimitError", 429, "rate_limit_error"),
    ("quota", "BadRequestError", 400, "invalid_request_error"),
    ("payment_required", "PaymentRequiredError", 402, "billing_error"),
    ("server_error", "InternalServerError", 500, "api_error"),
    ("unavailable", "InternalServerError", 503, "api_error"),
    ("gateway_timeout", "InternalServerError", 504, "timeout_error"),
    ("overloaded", "OverloadedError", 529, "overloaded_error"),
    ("auth", "AuthenticationError", 401, "authentication_error"),
    ("permission", "PermissionDeniedError", 403, "permission_error"),
    ("model_not_found", "NotFoundError", 404, "not_found_error"),
    ("context_length", "BadRequestError", 400, "invalid_request_error"),
    ("too_large", "RequestTooLargeError", 413, "request_too_large"),
]


class TestFailures:
    @pytest.mark.parametrize(("kind", "error", "status", "type_"), REFUSED)
    def test_refusal_raises_its_class_and_is_free(
        self, client, simulator, kind, error, status, type_
    ):
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.create(**saying(f"[[sim fail={kind}]]"))

        raised = caught.value
        assert raised.status_code == status
        assert raised.body["error"]["type"] == type_
        assert isinstance(raised, getattr(anthropic, error, anthropic.APIStatusError))
        assert raised.request_id.startswith("req_")
        assert simulator.ledger() == []

    def test_billing_limit_names_its_code(self, client):
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**saying("[[sim fail=spend_limit]]"))

        code = caught.value.body["error"]["details"]["error_code"]
        assert code == "enforced_spend_limit_reached"
        assert getattr(caught.value, "error_code", code) == code

    @pytest.mark.parametrize(
        ("kind", "error"),
        [("reset", anthropic.APIConnectionError), ("timeout", anthropic.APITimeoutError)],
    )
    def test_silence_raises_a_connection_error(self, client, kind, error):
        with pytest.raises(error):
            client.messages.create(**saying(f"[[sim fail={kind}]]"), timeout=0.2)

    def test_error_event_raises_its_status(self, client, simulator):
        events = []

        with pytest.raises(anthropic.APIStatusError) as caught:
            events.extend(
                client.messages.create(**saying("[[sim fail=error_event@2]]"), stream=True)
            )

        assert caught.value.body["error"]["type"] == "overloaded_error"
        assert sum(1 for event in events if event.type == "content_block_delta") == 2
        assert simulator.ledger()[0]["partial"]

    @pytest.mark.parametrize("kind", ["break", "cut", "stall"])
    def test_broken_stream_has_input_but_no_final_usage(self, client, simulator, kind):
        events = []
        usage = '{"input_tokens":50,"output_tokens":80}'
        prompt = f"[[sim fail={kind}@2 chunks=8 usage={usage}]]"

        # Only silence is to run out of time, and not its first chunks on a busy machine.
        patience = 1 if kind == "stall" else 60
        with pytest.raises(Exception, match=r"."):
            events.extend(client.messages.create(**saying(prompt), stream=True, timeout=patience))

        assert events[-1].type == "content_block_delta"
        assert billed(simulator) == {"uncached_input_tokens": 50, "output_tokens": 20}

    @pytest.mark.parametrize("kind", ["no_usage", "null_usage"])
    def test_usage_left_out_is_still_billed(self, client, simulator, kind):
        answer = client.messages.create(**saying(f"[[sim fail={kind}]]"))

        assert getattr(answer, "usage", None) is None
        assert billed(simulator)["output_tokens"] > 0


def test_batch_is_billed_message_by_message_at_half_price(client, simulator):
    client.messages.create(**ASK)
    asked = [{"custom_id": str(number), "params": ASK} for number in range(2)]
    number = client.messages.batches.create(requests=asked).id
    assert client.messages.batches.retrieve(number).processing_status == "in_progress"
    assert client.messages.batches.retrieve(number).processing_status == "ended"

    messages = [line.result.message for line in client.messages.batches.results(number)]

    single, *batched = [float(row["amount_usd"]) for row in simulator.ledger()]
    assert batched == [single / 2] * 2
    assert [message.usage.service_tier for message in messages] == ["batch"] * 2
