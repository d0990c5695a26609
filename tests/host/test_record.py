"""record() without an SDK: what no patch saw is the billable receipt, whatever wraps it."""

from __future__ import annotations

import json
from collections import UserDict, namedtuple
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace

import pytest
from pydantic import BaseModel

from anchor_autopatch import flush, record

CHAT = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
MESSAGE = {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 0}
RESPONSE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
GEMINI = {"promptTokenCount": 3, "candidatesTokenCount": 4}


def test_dict_is_the_billable_receipt(one_receipt):
    record({"id": "r1", "model": "gpt-4o", "usage": CHAT}, provider="openai")

    receipt = one_receipt()
    assert (receipt.provider, receipt.sdk, receipt.billable) == ("openai", "record", 1)
    assert (receipt.response_id, receipt.response_model) == ("r1", "gpt-4o")
    assert json.loads(receipt.raw_usage) == CHAT


def test_same_response_id_counts_once(receipts):
    for _ in range(3):
        record({"id": "r1", "usage": CHAT}, provider="openai")

    assert len(receipts()) == 1


def test_same_id_of_another_provider_counts_again(receipts):
    record({"id": "r1", "usage": CHAT}, provider="openai")
    record({"id": "r1", "usage": CHAT}, provider="mistral")

    assert [receipt.provider for receipt in receipts()] == ["openai", "mistral"]


def test_without_an_id_each_call_counts(receipts):
    for _ in range(3):
        record({"usage": CHAT}, provider="openai")

    assert len(receipts()) == 3


def test_without_a_provider_it_is_unmapped(one_receipt):
    record({"usage": CHAT}, model="gpt-4o")

    assert (one_receipt().provider, one_receipt().request_model) == ("unmapped", "gpt-4o")


@pytest.mark.parametrize(
    ("usage", "shape"),
    [
        (CHAT, "openai.chat"),
        (MESSAGE, "anthropic.messages"),
        (RESPONSE, "openai.responses"),
        ({"input_tokens": 1, "output_tokens": 2}, "anthropic.messages"),
        ({**CHAT, "cache_creation_input_tokens": 0}, "litellm.usage"),
        ({"prompt_token_count": 3}, "gemini.generate_content"),
        ({"something": 1}, None),
    ],
)
def test_usage_tells_its_own_shape(one_receipt, usage, shape):
    record({"usage": usage})

    assert one_receipt().usage_shape == shape
    assert json.loads(one_receipt().raw_usage) == usage


def test_gemini_names_are_found(one_receipt):
    record({"usageMetadata": GEMINI, "responseId": "g1", "modelVersion": "gemini-x"})

    receipt = one_receipt()
    assert (receipt.response_id, receipt.response_model) == ("g1", "gemini-x")
    assert json.loads(receipt.raw_usage) == GEMINI


@dataclass
class Wrapper:
    response: object = None
    raw: object = None
    result: object = None


@dataclass
class Usage:
    prompt_tokens: int = 3
    completion_tokens: int = 4


Answer = namedtuple("Answer", "id usage")
Tokens = namedtuple("Tokens", "prompt_tokens completion_tokens")


@pytest.mark.parametrize(
    "wrapped",
    [
        {"response": {"usage": CHAT, "id": "r1"}},
        Wrapper(response={"usage": CHAT, "id": "r1"}),
        Wrapper(raw=Wrapper(result={"usage": CHAT, "id": "r1"})),
        SimpleNamespace(body={"usage": CHAT, "id": "r1"}),
    ],
)
def test_answer_is_found_inside_a_wrapper(one_receipt, wrapped):
    record(wrapped, provider="openai")

    assert (one_receipt().response_id, json.loads(one_receipt().raw_usage)) == ("r1", CHAT)


class Given(BaseModel):
    """An answer as an application models it, with its usage as a model of its own."""

    class Counts(BaseModel):
        prompt_tokens: int = 3
        completion_tokens: int = 4

    id: str
    usage: Counts


COUNTS = {"prompt_tokens": 3, "completion_tokens": 4}
ANSWER = {"id": "r1", "usage": COUNTS}


@pytest.mark.parametrize(
    "shape",
    [
        Given(id="r1", usage=Given.Counts(prompt_tokens=3, completion_tokens=4)),
        Given(id="r1", usage=Given.Counts()),
        UserDict(ANSWER),
        MappingProxyType(ANSWER),
        {"id": "r1", "usage": MappingProxyType(COUNTS)},
        Wrapper(raw=json.dumps(ANSWER)),
        SimpleNamespace(body=json.dumps(ANSWER).encode()),
        SimpleNamespace(usage=COUNTS, response=SimpleNamespace(id="r1")),
        Wrapper(response=Answer("r1", COUNTS)),
    ],
    ids=[
        "pydantic",
        "pydantic defaults",
        "UserDict",
        "mapping",
        "usage is a mapping",
        "JSON text",
        "JSON bytes",
        "usage beside the answer",
        "named tuple in a wrapper",
    ],
)
def test_answer_of_any_shape_is_one_receipt(receipts, shape):
    record(shape, provider="openai")
    record(shape, provider="openai")

    (receipt,) = receipts()
    assert (receipt.response_id, json.loads(receipt.raw_usage)) == ("r1", COUNTS)


def test_repeated_object_without_an_id_counts_once(receipts):
    answer = UserDict(usage=COUNTS)

    record(answer)
    record(answer)

    assert len(receipts()) == 1


def test_long_text_is_not_parsed(one_receipt):
    record(Wrapper(raw=json.dumps({**ANSWER, "padding": "x" * 2_000_000})))

    assert one_receipt().raw_usage is None


@pytest.mark.parametrize(
    "usage", [Usage(), Tokens(3, 4), SimpleNamespace(prompt_tokens=3, completion_tokens=4)]
)
def test_usage_of_any_plain_class_is_read(one_receipt, usage):
    record(Answer("r1", usage))

    assert json.loads(one_receipt().raw_usage) == {"prompt_tokens": 3, "completion_tokens": 4}
    assert one_receipt().usage_shape == "openai.chat"


def test_object_of_ones_own_counts_once(receipts):
    answer = Wrapper(response={"usage": CHAT})

    record(answer)
    record(answer)

    assert len(receipts()) == 1


class Hostile:
    def __getattr__(self, name):
        raise RuntimeError(name)


class Endless:
    @property
    def response(self):
        return Endless()


@pytest.mark.parametrize(
    "strange", [lambda: None, int, str, bytes, list, dict, object, Endless, Hostile]
)
def test_anything_may_be_recorded(home, strange, capfd):
    record(strange())

    assert capfd.readouterr() == ("", "")


def test_lone_surrogates_and_huge_numbers_are_stored(one_receipt):
    record({"id": "r\ud800", "model": "m\ud800", "usage": {"prompt_tokens": 2**80}})

    assert json.loads(one_receipt().raw_usage) == {"prompt_tokens": 2**80}


def test_flush_says_that_nothing_waits(home):
    record({"usage": CHAT})

    assert flush() == 0


def test_secret_in_a_usage_object_is_masked(one_receipt):
    usage = {"promptTokenCount": 1234, "tier": "standard", "note": "sk-proj-CANARY1234567890abcd"}

    record({"usage_metadata": usage}, provider="gemini")

    kept = json.loads(one_receipt().raw_usage)
    assert kept == usage | {"note": "[redacted]"}
