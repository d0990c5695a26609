"""The layer stays out of the way: of SDK calls, of other clients, of what it does not concern."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import pickle
import sys

import pytest

from anchor_autopatch.host import patching
from anchor_autopatch.host.capture.calls import Call
from anchor_autopatch.host.capture.layers import active
from anchor_autopatch.host.clients import raw
from tests.host.support import run_python
from tests.sdk.raw.ways import KEY, every_way

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
SSE = {"content-type": "text/event-stream"}
EVENT = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":5}}\n\n'
JSON = {"content-type": "application/json"}


@pytest.fixture
def open_call(home):
    """An SDK's call that is open in this context."""
    call = Call("some-sdk", "chat", None, None, stream=False)
    token = active.set(call)
    yield call
    active.reset(token)


@every_way
def test_send_inside_an_sdk_call_is_counted_once(way, server, receipts, events, open_call):
    server.answer(b'{"usage":{"prompt_tokens":1}}', headers=JSON)

    way.plain(f"{server.url}/v1/chat/completions", BODY)
    way.stream(f"{server.url}/v1/chat/completions", BODY)

    assert (open_call.sends, receipts(), events()) == (2, [], [])


@every_way
def test_call_that_is_over_hides_nothing(way, server, one_receipt, open_call):
    server.answer(b'{"usage":{"prompt_tokens":1}}', headers=JSON)
    open_call.leave_to_children()

    way.plain(f"{server.url}/v1/chat/completions", BODY)

    assert (one_receipt().sdk, open_call.sends) == (way.target, 0)


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_coroutine_may_be_closed_in_another_context(library, home, monkeypatch):
    module = pytest.importorskip(library)
    monkeypatch.setenv("ANCHOR_PROVIDER_HOSTS", "llm.example.org=openai")

    async def never(_request):
        await asyncio.sleep(60)

    async def run():
        async with module.AsyncClient(transport=module.MockTransport(never)) as client:
            call = client.post("http://llm.example.org/v1/chat/completions", json=BODY)
            contextvars.Context().run(call.send, None)
            call.close()

    asyncio.run(run())


def test_loop_goes_on_while_an_answer_is_read(server, receipts):
    aiohttp = pytest.importorskip("aiohttp")
    server.answer(*[EVENT] * 20, headers=SSE, wait=0.01)
    turns = []

    async def tick():
        while True:
            await asyncio.sleep(0)
            turns.append(1)

    async def run():
        ticking = asyncio.create_task(tick())
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/v1/chat/completions", json=BODY) as response,
        ):
            await response.read()
        ticking.cancel()

    asyncio.run(run())

    # Counted, since a busy machine makes any turn long: a loop that waits for the body inside ours
    # turns a few times for each of its pieces.
    assert (len(receipts()), len(turns) > 200) == (1, True)


@pytest.mark.parametrize("kind", ["plain", "streamed"])
def test_openai_sdk_leaves_its_own_receipt_only(kind, simulator, one_receipt):
    openai = pytest.importorskip("openai")

    with openai.OpenAI(base_url=f"{simulator.openai}/v1", api_key="sk-test") as client:
        answer = client.chat.completions.create(**BODY, stream=kind == "streamed")
        if kind == "streamed":
            list(answer)

    assert one_receipt().sdk == "openai"


def test_gemini_stream_of_the_sdk_leaves_its_own_receipt_only(simulator, one_receipt):
    genai = pytest.importorskip("google.genai")
    options = genai.types.HttpOptions(base_url=simulator.gemini, timeout=60_000)

    with genai.Client(api_key="gemini-test", http_options=options) as client:
        list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"))

    assert one_receipt().sdk == "google-genai"


@every_way
def test_no_context_is_left_behind(way, server, home):
    server.answer(b"{}", headers=JSON)

    way.plain(f"{server.url}/v1/chat/completions", BODY)

    assert (active.get(), raw.counting.get()) == (None, None)


@pytest.mark.parametrize("library", ["requests", "httpx", "httpx2"])
def test_connection_is_used_again_after_a_watched_stream(library, server, receipts):
    module = pytest.importorskip(library)
    server.answer(EVENT, headers=SSE)
    url = f"{server.url}/v1/chat/completions"

    with module.Session() if library == "requests" else module.Client() as client:
        for _ in range(3):
            if library == "requests":
                list(client.post(url, json=BODY, stream=True, timeout=60).iter_lines())
            else:
                with client.stream("POST", url, json=BODY) as response:
                    list(response.iter_lines())

    assert (server.connections, len(receipts())) == (1, 3)


def test_aiohttp_uses_its_connection_again(server, receipts):
    aiohttp = pytest.importorskip("aiohttp")
    server.answer(EVENT, headers=SSE)

    async def run():
        async with aiohttp.ClientSession() as session:
            for _ in range(3):
                async with session.post(f"{server.url}/v1/chat/completions", json=BODY) as response:
                    assert await response.read() == EVENT

    asyncio.run(run())

    assert (server.connections, len(receipts())) == (1, 3)


@pytest.mark.parametrize("library", ["requests", "httpx", "httpx2"])
def test_response_is_the_library_s_own_and_pickles(library, server, one_receipt):
    module = pytest.importorskip(library)
    server.answer(b'{"usage":{"prompt_tokens":1}}', headers=JSON)

    response = module.post(f"{server.url}/v1/chat/completions", json=BODY, headers=KEY, timeout=60)

    assert type(response) is module.Response
    assert pickle.loads(pickle.dumps(response)).content == response.content
    assert not any("anchor" in name for name in vars(response))


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_watched_stream_is_the_library_s_own(library, server, home):
    module = pytest.importorskip(library)
    server.answer(EVENT, headers=SSE)

    with module.stream("POST", f"{server.url}/v1/chat/completions", json=BODY) as response:
        assert type(response.stream).__name__ == "BoundSyncStream"
        with pytest.raises(module.ResponseNotRead):
            response.content  # noqa: B018 - reading it is the test


def test_patched_functions_stay_what_they_were():
    names = {"requests": ("Session", "send"), "httpx": ("Client", "send")}
    for library, (owner, name) in names.items():
        module = pytest.importorskip(library)
        ours = getattr(getattr(module, owner), name)

        assert inspect.isfunction(ours)
        assert inspect.signature(ours) == inspect.signature(ours._anchor_original)


def test_async_functions_stay_async():
    for library in ("httpx", "httpx2"):
        if library in sys.modules:
            assert inspect.iscoroutinefunction(sys.modules[library].AsyncClient.send)


def test_fault_of_ours_leaves_the_answer_alone(server, receipts, monkeypatch):
    requests = pytest.importorskip("requests")
    from anchor_autopatch.host.clients import exchange

    server.answer(b'{"usage":{"prompt_tokens":1}}', headers=JSON)
    monkeypatch.setattr(exchange.fields, "read", lambda _body: 1 / 0)

    answer = requests.post(f"{server.url}/v1/chat/completions", json=BODY, timeout=60)

    assert (answer.json(), receipts()) == ({"usage": {"prompt_tokens": 1}}, [])
    assert set(patching._faults) == {"requests", "urllib3"}


def test_importing_a_client_imports_nothing_heavy_of_ours(home):
    pytest.importorskip("requests")
    code = (
        "import sys, sqlite3\nbefore = set(sys.modules)\nimport requests\n"
        "from anchor_autopatch.host import patching\n"
        "assert patching.states['requests'].patched, patching.states\n"
        "assert 'anchor_autopatch.host.storage.outbox' not in sys.modules\n"
        "assert 'anchor_autopatch.host.capture.calls' not in sys.modules\n"
    )

    assert run_python("-c", code, home=home).stderr == ""


def test_open_stream_is_told_when_the_process_leaves(simulator, home, receipts):
    pytest.importorskip("requests")
    simulator.script(chunk_delay=0.02, chunks=600)
    code = (
        "import requests, sys\n"
        f"r = requests.post({simulator.anthropic + '/v1/messages'!r}, stream=True, timeout=60,\n"
        " json={'model': 'claude-x', 'max_tokens': 9, 'messages': [], 'stream': True})\n"
        "next(r.iter_content(4096))\nsys.modules['kept'] = r\n"
    )

    run_python("-c", code, home=home, ANCHOR_PROVIDER_HOSTS="127.0.0.1=sdk")

    (receipt,) = receipts()
    assert (receipt.outcome, receipt.usage_source) == ("partial", "partial")


def test_nothing_is_kept_of_calls_that_are_over(server, home):
    requests = pytest.importorskip("requests")
    server.answer(EVENT, headers=SSE)

    for _ in range(20):
        list(
            requests.post(f"{server.url}/v1/chat/completions", stream=True, timeout=60).iter_lines()
        )
    gc.collect()

    assert raw.open_bodies.entries == {}
