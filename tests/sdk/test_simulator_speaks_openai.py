"""The real openai SDK parses every answer of the simulator and raises the right error class."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import openai
import pytest
from pydantic import BaseModel

from examples.provider_sim import Simulator

ASK = [{"role": "user", "content": "hello there"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def client(simulator: Simulator):
    with openai.OpenAI(
        base_url=f"{simulator.openai}/v1", api_key="sk-test", max_retries=0, timeout=60
    ) as client:
        yield client


def say(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def billed(simulator: Simulator) -> dict[str, int]:
    (row,) = simulator.ledger()
    return row["meters"]


class TestChat:
    def test_chat_answers_with_the_billed_usage(self, client, simulator):
        answer = client.chat.completions.create(model="gpt-4o", messages=ASK)

        assert answer.model == "gpt-4o-2024-08-06"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + 11
        assert billed(simulator) == {"input": answer.usage.prompt_tokens, "output": 11}

    def test_directive_in_the_prompt_chooses_usage(self, client, simulator):
        cached = '"prompt_tokens_details":{"cached_tokens":60}'
        usage = f'{{"prompt_tokens":100,"completion_tokens":7,{cached}}}'

        answer = client.chat.completions.create(
            model="gpt-4o", messages=say(f"hi [[sim usage={usage}]]")
        )

        assert answer.usage.total_tokens == 107
        assert billed(simulator) == {"input": 40, "cached_input": 60, "output": 7}

    @pytest.mark.parametrize(("asked", "chunks"), [(True, 1), (False, 0)])
    def test_stream_ends_with_usage_only_when_asked(self, client, asked, chunks):
        options = {"stream_options": {"include_usage": True}} if asked else {}

        stream = list(
            client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True, **options)
        )

        assert sum(1 for chunk in stream if chunk.choices == [] and chunk.usage) == chunks
        assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

    def test_n_choices_are_billed_once(self, client, simulator):
        stream = client.chat.completions.create(model="gpt-4o", messages=ASK, n=2, stream=True)

        indexes = {choice.index for chunk in stream for choice in chunk.choices}

        assert indexes == {0, 1}
        assert len(simulator.ledger()) == 1

    def test_tool_is_called_once_then_answered(self, client):
        first = client.chat.completions.create(model="gpt-4o", messages=ASK, tools=[TOOL])
        message = first.choices[0].message
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
        second = client.chat.completions.create(
            model="gpt-4o", messages=[*ASK, message, result], tools=[TOOL]
        )

        assert message.tool_calls[0].function.arguments == '{"city": "sim"}'
        assert second.choices[0].finish_reason == "stop"

    def test_streamed_tool_call_is_assembled(self, client):
        with client.chat.completions.stream(model="gpt-4o", messages=ASK, tools=[TOOL]) as stream:
            message = stream.get_final_completion().choices[0].message

        assert message.tool_calls[0].function.name == "weather"

    def test_structured_output_parses(self, client):
        class Point(BaseModel):
            x: int
            name: str

        answer = client.chat.completions.parse(model="gpt-4o", messages=ASK, response_format=Point)

        assert answer.choices[0].message.parsed == Point(x=1, name="sim")

    def test_service_tier_is_echoed_and_priced(self, client, simulator):
        answer = client.chat.completions.create(model="gpt-4o", messages=ASK, service_tier="flex")

        assert answer.service_tier == "flex"
        assert simulator.ledger()[0]["service_tier"] == "flex"

    def test_legacy_completions_stream(self, client):
        stream = list(client.completions.create(model="davinci-002", prompt="hi", stream=True))

        assert stream[-1].choices[0].finish_reason == "stop"

    def test_async_stream_parses(self, simulator):
        async def ask() -> int:
            async with openai.AsyncOpenAI(
                base_url=f"{simulator.openai}/v1", api_key="k", max_retries=0
            ) as client:
                options = {"include_usage": True}
                stream = await client.chat.completions.create(
                    model="gpt-4o", messages=ASK, stream=True, stream_options=options
                )
                return [chunk.usage async for chunk in stream][-1].total_tokens

        assert asyncio.run(ask()) == sum(billed(simulator).values())


class TestResponses:
    def test_response_answers_with_usage(self, client, simulator):
        answer = client.responses.create(model="gpt-4o", input="hello there")

        assert answer.output_text.startswith("This is")
        assert billed(simulator)["output"] == answer.usage.output_tokens

    def test_stream_runs_from_created_to_completed(self, client):
        events = list(client.responses.create(model="gpt-4o", input="hello", stream=True))

        assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
        assert events[-1].response.usage.total_tokens > 0

    def test_stream_helper_assembles_the_text(self, client):
        with client.responses.stream(model="gpt-4o", input="hello") as stream:
            answer = stream.get_final_response()

        assert answer.output_text.startswith("This is")

    def test_background_response_is_polled_and_billed_once(self, client, simulator):
        answer = client.responses.create(model="gpt-4o", input="hello", background=True)
        seen = [answer.status]
        while answer.status in ("queued", "in_progress"):
            answer = client.responses.retrieve(answer.id)
            seen.append(answer.status)

        assert seen == ["queued", "in_progress", "completed"]
        assert answer.usage.input_tokens == billed(simulator)["input"]

    def test_cancelled_response_bills_its_input(self, client, simulator):
        answer = client.responses.create(model="gpt-4o", input="hello", background=True)

        cancelled = client.responses.cancel(answer.id)

        assert cancelled.status == "cancelled"
        assert billed(simulator) == {"input": cancelled.usage.input_tokens}

    def test_unknown_response_is_not_found(self, client):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve("resp_unknown")

    def test_function_call_streams(self, client):
        tool = {"type": "function", "name": "weather", "parameters": {}, "strict": False}

        with client.responses.stream(model="gpt-4o", input="hello", tools=[tool]) as stream:
            answer = stream.get_final_response()

        assert answer.output[0].type == "function_call"


class TestMedia:
    @pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
    def test_embeddings_in_both_encodings(self, client, simulator, encoding):
        answer = client.embeddings.create(
            model="text-embedding-3-small", input=["a", "b"], dimensions=4, **encoding
        )

        assert [len(each.embedding) for each in answer.data] == [4, 4]
        assert billed(simulator) == {"input": answer.usage.prompt_tokens}

    def test_token_metered_image(self, client, simulator):
        answer = client.images.generate(model="gpt-image-1", prompt="a cat", n=2)

        assert base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG")
        assert billed(simulator) == {"text_input": 2, "image_output": answer.usage.output_tokens}

    def test_older_image_model_reports_no_usage(self, client, simulator):
        answer = client.images.generate(model="dall-e-3", prompt="a cat", n=1)

        assert getattr(answer, "usage", None) is None
        assert billed(simulator) == {"images": 1}

    def test_image_edit_takes_a_file(self, client, simulator):
        picture = ("cat.png", io.BytesIO(b"\x89PNG"), "image/png")

        client.images.edit(model="gpt-image-1", image=picture, prompt="a hat on the cat")

        assert billed(simulator) == {"text_input": 4, "image_output": 272}

    def test_image_stream_completes_with_usage(self, client):
        events = list(
            client.images.generate(
                model="gpt-image-1", prompt="a cat", stream=True, partial_images=2
            )
        )

        assert [event.type.rpartition(".")[2] for event in events] == [
            "partial_image",
            "partial_image",
            "completed",
        ]
        assert events[-1].usage.output_tokens == 272

    @pytest.mark.parametrize(
        ("model", "meters"),
        [
            ("tts-1", {"characters": 5}),
            ("gpt-4o-mini-tts", {"text_input": 2, "audio_output": 5}),
        ],
    )
    def test_speech_is_binary(self, client, simulator, model, meters):
        answer = client.audio.speech.create(model=model, voice="alloy", input="hello")

        assert answer.content.startswith(b"RIFF")
        assert billed(simulator) == meters

    @pytest.mark.parametrize(
        ("model", "meters"),
        [("whisper-1", {"seconds": 3}), ("gpt-4o-transcribe", {"audio_input": 30, "output": 6})],
    )
    def test_transcription_reports_usage(self, client, simulator, model, meters):
        answer = client.audio.transcriptions.create(model=model, file=("a.wav", b"RIFF"))

        assert answer.text.startswith("This is")
        assert billed(simulator) == meters

    def test_transcription_as_text_has_no_usage(self, client, simulator):
        answer = client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", b"RIFF"), response_format="text"
        )

        assert isinstance(answer, str)
        assert billed(simulator) == {"seconds": 3}

    def test_streamed_transcription_ends_with_usage(self, client):
        events = list(
            client.audio.transcriptions.create(
                model="gpt-4o-transcribe", file=("a.wav", b"RIFF"), stream=True
            )
        )

        assert events[-1].type == "transcript.text.done"
        assert events[-1].usage.input_tokens == 30

    def test_free_calls_bill_nothing(self, client, simulator):
        client.models.list()
        client.moderations.create(input="hello")

        assert simulator.ledger() == []


REFUSED = [
    ("rate_limit", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("quota", openai.RateLimitError, 429, "insufficient_quota"),
    ("credit_exhausted", openai.RateLimitError, 429, "credit_balance_exhausted"),
    ("payment_required", openai.APIStatusError, 402, "billing_not_active"),
    ("server_error", openai.InternalServerError, 500, None),
    ("bad_gateway", openai.InternalServerError, 502, None),
    ("unavailable", openai.InternalServerError, 503, "server_is_overloaded"),
    ("overloaded", openai.InternalServerError, 529, "server_is_overloaded"),
    ("auth", openai.AuthenticationError, 401, "invalid_api_key"),
    ("permission", openai.PermissionDeniedError, 403, None),
    ("model_not_found", openai.NotFoundError, 404, "model_not_found"),
    ("context_length", openai.BadRequestError, 400, "context_length_exceeded"),
    ("content_filter", openai.BadRequestError, 400, "content_policy_violation"),
    ("conflict", openai.ConflictError, 409, None),
    ("unprocessable", openai.UnprocessableEntityError, 422, None),
]


class TestFailures:
    @pytest.mark.parametrize(("kind", "error", "status", "code"), REFUSED)
    def test_refusal_raises_its_class_and_is_free(
        self, client, simulator, kind, error, status, code
    ):
        with pytest.raises(error) as caught:
            client.chat.completions.create(model="gpt-4o", messages=say(f"[[sim fail={kind}]]"))

        assert (caught.value.status_code, caught.value.code) == (status, code)
        assert caught.value.request_id.startswith("req_")
        assert simulator.ledger() == []

    @pytest.mark.parametrize(
        ("kind", "error"),
        [
            ("reset", openai.APIConnectionError),
            ("close", openai.APIConnectionError),
            ("timeout", openai.APITimeoutError),
        ],
    )
    def test_silence_raises_a_connection_error(self, client, simulator, kind, error):
        with pytest.raises(error):
            client.with_options(timeout=0.2).chat.completions.create(
                model="gpt-4o", messages=say(f"[[sim fail={kind}]]")
            )

        assert simulator.ledger() == []

    def test_sdk_retries_until_the_failure_is_over(self, client, simulator):
        client.with_options(max_retries=2).chat.completions.create(
            model="gpt-4o", messages=say("[[sim fail=rate_limit*2]]")
        )

        assert [visit["attempt"] for visit in simulator.requests()] == ["0", "1", "2"]
        assert len(simulator.ledger()) == 1

    @pytest.mark.parametrize(("kind", "status"), [("", 400), ("_422", 422)])
    def test_host_without_stream_options_rejects_them(self, client, simulator, kind, status):
        simulator.script(path="/chat/completions", fail=f"reject_stream_options{kind}", times=None)
        ask = {"model": "gpt-4o", "messages": ASK, "stream": True}

        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(**ask, stream_options={"include_usage": True})

        assert caught.value.status_code == status
        assert len(list(client.chat.completions.create(**ask))) > 2

    @pytest.mark.parametrize("kind", ["break", "cut", "stall", "error_event", "malformed_chunk"])
    def test_broken_stream_delivers_its_chunks_first(self, client, simulator, kind):
        texts = []
        # Only silence is to run out of time, and not its first chunks on a busy machine.
        stream = client.with_options(timeout=1 if kind == "stall" else 60).chat.completions.create(
            model="gpt-4o", messages=say(f"[[sim fail={kind}@3 chunks=6]]"), stream=True
        )

        with pytest.raises(Exception, match=r".") as caught:
            texts.extend(chunk.choices[0].delta.content for chunk in stream)

        assert not isinstance(caught.value, AssertionError)
        assert len(texts) == 4  # the role, then three chunks
        (row,) = simulator.ledger()
        assert (row["partial"], row["delivered"]) == (True, False)

    def test_truncated_stream_ends_without_a_word(self, client, simulator):
        stream = client.chat.completions.create(
            model="gpt-4o", messages=say("[[sim fail=truncate@2]]"), stream=True
        )

        assert {chunk.choices[0].finish_reason for chunk in stream} == {None}
        assert simulator.ledger()[0]["partial"]

    @pytest.mark.parametrize("kind", ["no_usage", "null_usage"])
    def test_usage_left_out_is_still_billed(self, client, simulator, kind):
        answer = client.chat.completions.create(
            model="gpt-4o", messages=say(f"[[sim fail={kind}]]")
        )

        assert answer.usage is None
        assert billed(simulator)["output"] > 0

    def test_same_id_for_every_answer(self, client, simulator):
        simulator.script(fail="same_id", times=None)

        ids = {client.chat.completions.create(model="m", messages=ASK).id for _ in range(3)}

        assert len(ids) == 1
        assert len(simulator.ledger()) == 3

    def test_closed_stream_is_billed_in_part(self, client, simulator):
        stream = client.chat.completions.create(
            model="gpt-4o", messages=say("[[sim chunks=100 chunk_delay=0.02]]"), stream=True
        )
        next(iter(stream))
        stream.close()
        del stream

        client.models.list()
        assert simulator.ledger()[0]["partial"]


def test_azure_path_is_invoiced_by_azure(simulator):
    with openai.AzureOpenAI(
        azure_endpoint=simulator.all, api_key="k", api_version="2024-10-21"
    ) as client:
        client.chat.completions.create(model="gpt-4o", messages=ASK)

    assert simulator.ledger()[0]["provider"] == "azure"


def test_batch_is_billed_by_its_sum_at_half_price(client, simulator):
    body = {"model": "gpt-4o", "messages": ASK}
    client.chat.completions.create(**body)
    line = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/chat", "body": body})
    lines = ("batch.jsonl", io.BytesIO(f"{line}\n{line}\n".encode()))
    file = client.files.create(file=lines, purpose="batch")
    asked = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    number = client.batches.create(input_file_id=file.id, **asked).id
    assert client.batches.retrieve(number).status == "in_progress"

    batch = client.batches.retrieve(number)

    single, batched = [float(row["amount_usd"]) for row in simulator.ledger()]
    assert (batch.status, batch.request_counts.total, batched) == ("completed", 2, single)
