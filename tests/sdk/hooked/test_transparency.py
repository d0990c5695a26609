"""Patched functions look and behave as the SDK's own, and a fault of ours changes no result."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re
import types
from unittest import mock

import anthropic
import openai
import pytest
from google.genai import _api_client

from anchor_autopatch.host import ids, patching
from anchor_autopatch.host.capture import calls, streams
from anchor_autopatch.host.providers import stainless
from anchor_autopatch.host.providers.anthropic import sdk as our_anthropic
from anchor_autopatch.host.providers.google import sdk as google_genai
from anchor_autopatch.host.providers.openai import sdk as our_openai
from tests.host.support import CHECKOUT, read_outboxes, run_python

ASK = [{"role": "user", "content": "hello there"}]
PATCHED = [
    (owner, name)
    for owner, names in {
        openai._base_client.SyncAPIClient: ["request", "_process_response"],
        openai._base_client.AsyncAPIClient: ["request", "_process_response"],
        openai.Stream: ["__stream__", "close"],
        openai.AsyncStream: ["__stream__", "close"],
        anthropic._base_client.SyncAPIClient: ["request", "_process_response"],
        anthropic._base_client.AsyncAPIClient: ["request", "_process_response"],
        anthropic.Stream: ["__stream__", "close"],
        anthropic.AsyncStream: ["__stream__", "close"],
        _api_client.BaseApiClient: [
            "request",
            "async_request",
            "request_streamed",
            "async_request_streamed",
        ],
    }.items()
    for name in names
]
patched = pytest.mark.parametrize(
    ("owner", "name"),
    PATCHED,
    ids=[f"{o.__module__.partition('.')[0]}-{o.__name__}-{n}" for o, n in PATCHED],
)


def pair(owner, name):
    ours = vars(owner)[name]
    return ours, ours._anchor_original


@patched
def test_it_is_patched_by_a_plain_function(owner, name):
    ours, original = pair(owner, name)

    assert type(ours) is type(original) is types.FunctionType
    assert inspect.isfunction(ours)


@patched
def test_names_signature_and_source_are_the_originals(owner, name):
    ours, original = pair(owner, name)

    assert (ours.__name__, ours.__qualname__, ours.__module__) == (
        original.__name__,
        original.__qualname__,
        original.__module__,
    )
    assert inspect.signature(ours) == inspect.signature(original)
    assert ours.__annotations__ == original.__annotations__
    assert inspect.getsource(ours) == inspect.getsource(original)


@patched
def test_kind_of_function_is_the_originals(owner, name):
    ours, original = pair(owner, name)

    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(original)
    assert inspect.isgeneratorfunction(ours) == inspect.isgeneratorfunction(original)


@patched
def test_binding_is_the_originals(owner, name):
    bound = getattr(object.__new__(owner), name)

    assert inspect.ismethod(bound)
    assert bound.__func__ is vars(owner)[name]


@patched
def test_pickle_and_deepcopy_give_the_function_itself(owner, name):
    ours, _ = pair(owner, name)

    assert copy.deepcopy(ours) is ours
    assert pickle.loads(pickle.dumps(ours)) is ours


@patched
def test_autospec_knows_it(owner, name):
    assert callable(getattr(mock.create_autospec(owner), name))


@pytest.mark.parametrize("name", ["request", "_process_response"])
def test_missing_argument_raises_the_same(openai_client, name):
    ours, original = pair(openai._base_client.SyncAPIClient, name)

    with pytest.raises(TypeError) as expected:
        original(openai_client)
    with pytest.raises(TypeError) as found:
        ours(openai_client)

    assert str(found.value) == str(expected.value)


# Run once bare and once hooked; what it prints must be the same text.
SCENARIO = """
import asyncio, sys, json
sys.path.insert(0, {checkout!r})
import openai, anthropic
from google import genai
ask = [dict(role="user", content="hello there [[sim id=fixed_1 text=\\"one two three\\"]]")]
bad = [dict(role="user", content="hello there [[sim fail={failure}]]")]
one = openai.OpenAI(base_url={openai!r}, api_key="k", max_retries=0)
two = anthropic.Anthropic(base_url={anthropic!r}, api_key="k", max_retries=0)
def text(value):
    dump = value.model_dump() if hasattr(value, "model_dump") else str(value)
    if isinstance(dump, dict):
        for key in ("created", "created_at"):
            dump.pop(key, None)
    return type(value).__qualname__, json.dumps(dump, default=str, sort_keys=True)
def show(make):
    try:
        value = make()
        items = list(value) if hasattr(value, "response") else [value]
        print(type(value).__qualname__, len(items), [text(item) for item in items])
    except Exception as error:
        link = error
        while link is not None:
            print(type(link).__module__, type(link).__name__, str(link)[:200], link.args[:1])
            print("  suppressed", link.__suppress_context__)
            link = link.__cause__ or link.__context__
for asked in (ask, bad):
    for stream in (False, True):
        show(lambda: one.chat.completions.create(model="m", messages=asked, stream=stream))
        show(lambda: one.chat.completions.create(model="m", messages=asked, stream=stream, n=2))
        show(lambda: one.responses.create(model="m", input=asked[0]["content"], stream=stream))
        show(lambda: two.messages.create(model="m", max_tokens=9, messages=asked, stream=stream))
    show(lambda: one.chat.completions.with_raw_response.create(model="m", messages=asked).parse())
    show(lambda: one.embeddings.create(model="m", input=asked[0]["content"]))
"""


@pytest.mark.parametrize("failure", ["rate_limit", "server_error", "empty_body", "break@1"])
def test_results_and_errors_are_those_of_an_unhooked_process(home, simulator, failure):
    code = SCENARIO.format(
        checkout=str(CHECKOUT),
        failure=failure,
        openai=f"{simulator.openai}/v1",
        anthropic=simulator.anthropic,
    )
    hosts = {"ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk"}

    def run(hook):
        simulator.reset()
        simulator.clock("2026-01-01T00:00:00Z")
        return run_python("-c", code, home=home, hook=hook, **hosts)

    bare, hooked = run(False), run(True)

    assert without_ids(hooked.stdout) == without_ids(bare.stdout)
    assert hooked.stderr == bare.stderr


def without_ids(text):
    return re.sub(r"\b(req_|msg_|rs_|resp_|call_|toolu_|chatcmpl-)\w+", "ID", text)


def chat(client, **options):
    return client.chat.completions.create(model="gpt-4o", messages=ASK, **options)


PLACES = {
    "openai": [
        (calls.Call, "__init__"),
        (calls.Call, "succeed"),
        (calls.Call, "_receipt"),
        (stainless.Adapter, "_site"),
        (calls.outbox, "own_writer"),
        (calls.resolving, "at_call"),
        (calls.callsite, "find"),
        (calls.identity, "remember_answer"),
        (ids.Sequence, "new"),
        (stainless.Adapter, "_new_site"),
    ],
}


def broken(*_args, **_kwargs):
    raise ZeroDivisionError("a fault of ours")


def fresh(simulator):
    # A client of its own: the address of a known client is not worked out again.
    return openai.OpenAI(base_url=f"{simulator.openai}/v1", api_key="k", max_retries=0)


@pytest.mark.parametrize("place", PLACES["openai"], ids=lambda place: place[1])
@pytest.mark.parametrize("stream", [False, True])
def test_fault_of_ours_changes_no_result(home, simulator, monkeypatch, place, stream):
    monkeypatch.setattr(*place, broken)

    with fresh(simulator) as client:
        answer = chat(client, stream=stream)
        text = (
            "".join(chunk.choices[0].delta.content or "" for chunk in answer)
            if stream
            else answer.choices[0].message.content
        )

    assert text.startswith("This is")


@pytest.mark.parametrize("place", PLACES["openai"][:-1], ids=lambda place: place[1])
def test_fault_of_ours_changes_no_error(home, simulator, monkeypatch, place):
    monkeypatch.setattr(*place, broken)
    simulator.script(fail="rate_limit")

    with fresh(simulator) as client, pytest.raises(openai.RateLimitError, match="too many"):
        chat(client)


READERS = [
    (our_openai._ChatReader, "feed"),
    (our_openai._ChatReader, "seen"),
    (our_openai._ChatReader, "complete"),
]


@pytest.mark.parametrize("place", READERS, ids=lambda place: place[1])
def test_fault_in_reading_a_stream_leaves_its_chunks(home, simulator, monkeypatch, place):
    monkeypatch.setattr(*place, broken)

    with fresh(simulator) as client:
        chunks = list(chat(client, stream=True))

    assert all(chunk.choices for chunk in chunks)


def test_fault_in_reading_a_message(anthropic_client, monkeypatch, one_event):
    monkeypatch.setattr(our_anthropic._MessageReader, "feed", broken)

    stream = anthropic_client.messages.create(model="c", max_tokens=9, messages=ASK, stream=True)

    assert [event.type for event in stream][-1] == "message_stop"
    assert one_event().event_class == "internal"


def test_fault_in_reading_a_gemini_answer(gemini_client, monkeypatch, one_event):
    monkeypatch.setattr(google_genai, "_fields", broken)

    answer = gemini_client.models.generate_content(model="g", contents="hello")

    assert answer.text.startswith("This is")
    assert (one_event().event_class, one_event().dependency) == ("internal", "google-genai")


def test_fault_is_one_event_that_names_it(openai_client, monkeypatch, one_event):
    monkeypatch.setattr(stainless.Adapter, "_site", broken)

    for _ in range(5):
        chat(openai_client)

    event = one_event()
    assert (event.event_class, event.dependency) == ("internal", "openai")
    assert (event.exception_type, "a fault of ours" in event.message) == ("ZeroDivisionError", True)


def test_ten_faults_switch_the_target_off(openai_client, monkeypatch, receipts, events):
    with monkeypatch.context() as broken_for_now:
        broken_for_now.setattr(stainless.Adapter, "_site", broken)
        for _ in range(patching.FAULT_LIMIT):
            chat(openai_client)
    before = patching.states["openai"]

    assert chat(openai_client).choices
    patching.states["openai"] = before._replace(patched=True, reason=None)

    # The layer below, which watches HTTP clients, may still see the calls.
    assert "openai" not in {receipt.sdk for receipt in receipts()}
    assert "switched off" in before.reason
    assert [event.event_class for event in events()] == ["internal"] * 2


def test_stream_objects_are_the_sdks_own(openai_client, home):
    stream = chat(openai_client, stream=True)

    assert type(stream) is openai.Stream
    assert inspect.isgenerator(stream._iterator)
    list(stream)
    assert streams._open.entries == {}


def test_late_install_reaches_clients_that_exist(home, simulator):
    code = f"""
import os, openai
client = openai.OpenAI(base_url={simulator.openai + "/v1"!r}, api_key="k")
create = client.chat.completions.create
import anchor_autopatch
anchor_autopatch.install()
create(model="m", messages=[dict(role="user", content="x")])
"""
    run_python("-c", code, home=home, hook=False, ANCHOR_PROVIDER_HOSTS="127.0.0.1=sdk")

    assert [receipt.sdk for receipt in read_outboxes(home)[0]] == ["openai"]


def test_late_install_reaches_litellm_names_imported_before(home, simulator):
    pytest.importorskip("litellm")
    code = f"""
from litellm import completion
import anchor_autopatch
anchor_autopatch.install()
completion(model="anthropic/c", api_base={simulator.anthropic!r}, api_key="k",
           messages=[dict(role="user", content="x")])
"""
    variables = {"ANCHOR_PROVIDER_HOSTS": "127.0.0.1=sdk", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    run_python("-c", code, home=home, hook=False, **variables)

    assert [receipt.sdk for receipt in read_outboxes(home)[0]] == ["litellm>httpx"]


def test_patching_twice_is_patching_once(openai_client, one_receipt):
    from anchor_autopatch.host.targets import TARGETS

    for target in TARGETS[:2]:
        patching.apply(target)

    chat(openai_client)

    assert json.loads(one_receipt().raw_usage)
