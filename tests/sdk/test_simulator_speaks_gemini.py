"""The real google-genai SDK parses every answer of the simulator and raises its error classes."""

from __future__ import annotations

import asyncio

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from examples.provider_sim import Simulator

# What google-genai itself does or says, in one or the other world.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The generate_images method is deprecated"),
]
MODEL = "gemini-2.5-flash"
IMAGE_MODEL = "gemini-2.5-flash-image"


@pytest.fixture
def client(simulator: Simulator):
    options = types.HttpOptions(base_url=simulator.gemini, timeout=60_000)
    with genai.Client(api_key="test", http_options=options) as client:
        yield client


def billed(simulator: Simulator) -> dict[str, int]:
    (row,) = simulator.ledger()
    return row["meters"]


class TestGenerate:
    def test_text_answers_with_the_billed_usage(self, client, simulator):
        answer = client.models.generate_content(model=MODEL, contents="hello there")

        assert answer.text.startswith("This is")
        assert answer.usage_metadata.total_token_count == sum(billed(simulator).values())
        assert answer.model_version == MODEL
        assert answer.response_id

    def test_thoughts_and_cached_tokens(self, client, simulator):
        usage = (
            '{"promptTokenCount":100,"candidatesTokenCount":5,'
            '"thoughtsTokenCount":30,"cachedContentTokenCount":60}'
        )

        answer = client.models.generate_content(model=MODEL, contents=f"hi [[sim usage={usage}]]")

        assert answer.usage_metadata.total_token_count == 135
        assert billed(simulator) == {
            "input_text": 40,
            "cached_text": 60,
            "output_text": 5,
            "output_thinking": 30,
        }

    def test_stream_usage_is_cumulative(self, client, simulator):
        stream = client.models.generate_content_stream(model=MODEL, contents="hello there")

        totals = [chunk.usage_metadata.total_token_count for chunk in stream]

        assert totals == sorted(totals)
        assert totals[-1] == sum(billed(simulator).values())

    def test_image_model_answers_with_a_picture(self, client, simulator):
        answer = client.models.generate_content(model=IMAGE_MODEL, contents="a cat")

        assert answer.candidates[0].content.parts[0].inline_data.data.startswith(b"\x89PNG")
        details = answer.usage_metadata.candidates_tokens_details
        assert [(part.modality.name, part.token_count) for part in details] == [("IMAGE", 1290)]
        assert billed(simulator) == {"input_text": 2, "output_image": 1290}

    def test_automatic_function_calling_makes_two_hops(self, client, simulator):
        def weather(city: str) -> str:
            """Tells the weather."""
            return f"sunny in {city}"

        answer = client.models.generate_content(
            model=MODEL, contents="how is it?", config={"tools": [weather]}
        )

        assert answer.text.startswith("This is")
        assert len(simulator.ledger()) == 2

    def test_structured_output_parses(self, client):
        class Point(BaseModel):
            x: int
            name: str

        config = {"response_mime_type": "application/json", "response_schema": Point}
        answer = client.models.generate_content(model=MODEL, contents="a point", config=config)

        assert answer.parsed == Point(x=1, name="sim")

    def test_chat_session_keeps_talking(self, client, simulator):
        chat = client.chats.create(model=MODEL)

        chat.send_message("hello [[sim usage={}]]".format('{"promptTokenCount":5}'))
        second = chat.send_message("and now?")

        assert second.usage_metadata.prompt_token_count > 5
        assert len(simulator.ledger()) == 2

    def test_async_stream_parses(self, client, simulator):
        async def ask() -> int:
            stream = await client.aio.models.generate_content_stream(model=MODEL, contents="hello")
            totals = [chunk.usage_metadata.total_token_count async for chunk in stream]
            await client.aio.aclose()
            return totals[-1]

        assert asyncio.run(ask()) == sum(billed(simulator).values())


class TestOther:
    @pytest.mark.parametrize("model", ["gemini-embedding-001", "gemini-embedding-2"])
    def test_embeddings_are_billed(self, client, simulator, model):
        answer = client.models.embed_content(model=model, contents=["hello there"])

        assert len(answer.embeddings[0].values) == 8
        assert billed(simulator) == {"input_text": 3}

    def test_free_calls_bill_nothing(self, client, simulator):
        counted = client.models.count_tokens(model=MODEL, contents="hello there")
        listed = list(client.models.list())

        assert counted.total_tokens == 3
        assert f"models/{MODEL}" in [model.name for model in listed]
        assert simulator.ledger() == []


REFUSED = [
    ("rate_limit", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ("quota_daily", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ("payment_required", errors.ClientError, 402, "FAILED_PRECONDITION"),
    ("server_error", errors.ServerError, 500, "INTERNAL"),
    ("unavailable", errors.ServerError, 503, "UNAVAILABLE"),
    ("gateway_timeout", errors.ServerError, 504, "DEADLINE_EXCEEDED"),
    ("auth", errors.ClientError, 400, "INVALID_ARGUMENT"),
    ("permission", errors.ClientError, 403, "PERMISSION_DENIED"),
    ("model_not_found", errors.ClientError, 404, "NOT_FOUND"),
    ("context_length", errors.ClientError, 400, "INVALID_ARGUMENT"),
]


class TestFailures:
    @pytest.mark.parametrize(("kind", "error", "code", "status"), REFUSED)
    def test_refusal_raises_its_class_and_is_free(
        self, client, simulator, kind, error, code, status
    ):
        with pytest.raises(error) as caught:
            client.models.generate_content(model=MODEL, contents=f"[[sim fail={kind}]]")

        assert (caught.value.code, caught.value.status) == (code, status)
        assert simulator.ledger() == []

    def test_daily_quota_is_told_by_its_id(self, client):
        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model=MODEL, contents="[[sim fail=quota_daily]]")

        (detail,) = caught.value.details["error"]["details"]
        assert "PerDay" in detail["violations"][0]["quotaId"]

    @pytest.mark.parametrize(("kind", "name"), [("reset", "ReadError"), ("timeout", "ReadTimeout")])
    def test_silence_raises_the_transport_error(self, client, kind, name):
        config = {"http_options": {"timeout": 300}}

        with pytest.raises(Exception, match=r".") as caught:
            client.models.generate_content(
                model=MODEL, contents=f"[[sim fail={kind}]]", config=config
            )

        assert type(caught.value).__name__ == name

    def test_error_event_raises_a_server_error(self, client, simulator):
        texts = []

        with pytest.raises(errors.ServerError):
            texts.extend(
                chunk.text
                for chunk in client.models.generate_content_stream(
                    model=MODEL, contents="[[sim fail=error_event@2]]"
                )
            )

        assert len(texts) == 2
        assert simulator.ledger()[0]["partial"]

    @pytest.mark.parametrize("kind", ["break", "cut"])
    def test_broken_stream_bills_what_was_generated(self, client, simulator, kind):
        usage = '{"promptTokenCount":10,"candidatesTokenCount":80,"thoughtsTokenCount":7}'
        seen = []

        with pytest.raises(Exception, match=r"."):
            seen.extend(
                client.models.generate_content_stream(
                    model=MODEL, contents=f"[[sim fail={kind}@2 chunks=8 usage={usage}]]"
                )
            )

        assert seen[-1].usage_metadata.candidates_token_count == 20
        assert billed(simulator) == {"input_text": 10, "output_text": 20, "output_thinking": 7}

    @pytest.mark.parametrize("kind", ["no_usage", "null_usage"])
    def test_usage_left_out_is_still_billed(self, client, simulator, kind):
        answer = client.models.generate_content(model=MODEL, contents=f"[[sim fail={kind}]]")

        assert answer.usage_metadata is None
        assert billed(simulator)["output_text"] > 0


class TestVertex:
    @pytest.fixture
    def vertex(self, simulator: Simulator):
        options = types.HttpOptions(base_url=simulator.all, timeout=60_000)
        with genai.Client(vertexai=True, api_key="test", http_options=options) as client:
            yield client

    def test_imagen_bills_each_picture(self, vertex, simulator):
        answer = vertex.models.generate_images(
            model="imagen-4.0-generate-001", prompt="a cat", config={"number_of_images": 2}
        )

        assert len(answer.generated_images) == 2
        assert billed(simulator) == {"images": 2}

    def test_vertex_path_is_invoiced_by_vertex(self, vertex, simulator):
        vertex.models.generate_content(model=MODEL, contents="hello there")

        assert simulator.ledger()[0]["provider"] == "vertex_ai"

    def test_vertex_embeddings_carry_statistics(self, vertex, simulator):
        answer = vertex.models.embed_content(model="text-embedding-005", contents="hello there")

        assert answer.embeddings[0].statistics.token_count == 3
        assert billed(simulator) == {"input_text": 3}
