"""Tools that run inside a response are counted beside its tokens."""

from __future__ import annotations

import importlib
import json

import pytest

from tests.sdk.hooked import tapes

USAGE = {"input_tokens": 13, "output_tokens": 4, "total_tokens": 17}
DONE = {"id": "resp_1", "object": "response", "status": "completed", "usage": USAGE}


def item(kind, **more):
    return {"type": kind, "id": "i", "status": "completed", **more}


SEARCH = item("web_search_call", action={"type": "search", "query": "q"})
OPENED = item("web_search_call", action={"type": "open_page", "url": "u"})
FILES = item("file_search_call", queries=["q"])
CODE = item("code_interpreter_call", code="1", container_id="c", outputs=[])
IMAGES = {"input_tokens": 5, "output_tokens": 50}


@pytest.fixture
def answering(home):
    import openai

    library = "httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx"

    def client(answer, **options):
        module = importlib.import_module(library)
        http = module.Client(transport=tapes.transport(library, answer, **options))
        return openai.OpenAI(api_key="sk-test", max_retries=0, http_client=http)

    return client


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"output": [SEARCH, OPENED, SEARCH]}, {"searches": 2}),
        ({"output": [FILES, CODE]}, {"file_searches": 1, "code_interpreter_calls": 1}),
        (
            {"output": [SEARCH], "tool_usage": {"web_search": {"num_requests": 3}}},
            {"tool_usage": {"web_search": {"num_requests": 3}}},
        ),
        (
            {"output": [SEARCH], "tool_usage": {"image_gen": IMAGES}},
            {"searches": 1, "tool_usage": {"image_gen": IMAGES}},
        ),
        ({"output": [item("message", role="assistant", content=[])]}, None),
    ],
)
def test_tools_of_a_response_are_counted(answering, one_receipt, answer, expected):
    answering({**DONE, **answer}).responses.create(model="gpt-5", input="Hi")

    assert json.loads(one_receipt().price_facts or "null") == expected


def test_tools_of_a_retrieved_response_are_counted(answering, one_receipt):
    answering({**DONE, "output": [SEARCH]}).responses.retrieve("resp_1")

    assert json.loads(one_receipt().price_facts) == {"searches": 1, "retrieved": True}


def test_tools_of_a_stream_are_counted(answering, one_receipt):
    end = {"type": "response.completed", "response": {**DONE, "output": [FILES]}}
    body = tapes.sse({**end, "sequence_number": 1})
    client = answering(body, content_type="text/event-stream")

    list(client.responses.create(model="gpt-5", input="Hi", stream=True))

    assert json.loads(one_receipt().price_facts) == {"file_searches": 1}


def test_vector_drawings_are_counted_beside_images(answering, one_receipt):
    drawn = {"input_tokens": 3, "output_tokens": 40, "model": "gpt-5"}
    answer = {"created": 1, "data": [{"b64_json": "x"}], "usage": USAGE, "svg_usage": drawn}

    answering(answer).images.generate(model="gpt-image-2", prompt="a cat")

    assert json.loads(one_receipt().price_facts)["svg_usage"] == drawn
