"""Each response of an OpenAI WebSocket session is one receipt, linked to its session."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import time
import warnings

import openai
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

import anchor_autopatch

# The SDK opens its synchronous connections in a way that websockets 17 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")
SECOND = base64.b64encode(bytes(48_000)).decode()
MESSAGE = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "a secret question"}],
}
EVENTS = {"realtime": "response.done", "responses": "response.completed"}


def ask(connection, kind):
    """Sends one request for a response."""
    if kind == "responses":
        connection.response.create(model="gpt-4o", input="a secret question")
    else:
        connection.conversation.item.create(item=MESSAGE)
        connection.response.create()


async def ask_async(connection, kind):
    if kind == "responses":
        await connection.response.create(model="gpt-4o", input="a secret question")
    else:
        await connection.conversation.item.create(item=MESSAGE)
        await connection.response.create()


def resource(client, kind):
    """What has the `connect` of this kind of session."""
    return {
        "realtime": lambda: client.realtime,
        "beta": lambda: client.beta.realtime,
        "responses": lambda: client.responses,
    }[kind]()


def opened(client, kind):
    named = {} if kind == "responses" else {"model": "gpt-realtime"}
    found = resource(client, kind)
    if not hasattr(found, "connect"):
        pytest.skip(f"openai {openai.__version__} has no {kind} sessions")
    return found.connect(**named)


@pytest.fixture
def addresses(simulator):
    """Where clients find the simulator; the beta's sessions would insist on TLS."""
    base_url = f"{simulator.openai}/v1"
    return {"base_url": base_url, "websocket_base_url": base_url.replace("http", "ws")}


@pytest.fixture
def client(home, addresses, sim_key):
    with openai.OpenAI(**addresses, api_key=sim_key, max_retries=0) as client:
        yield client


def end_of(connection, kind):
    """Reads up to the end of a response."""
    return next(event for event in connection if event.type == EVENTS.get(kind, "response.done"))


@pytest.fixture(params=["sync", "async"])
def one_response(request, client, addresses, sim_key):
    """Makes one response in a session of its own, synchronously or not."""

    def make(kind):
        with opened(client, kind) as connection:
            ask(connection, kind)
            end_of(connection, kind)

    async def make_async(kind):
        async with (
            openai.AsyncOpenAI(**addresses, api_key=sim_key) as asynchronous,
            opened(asynchronous, kind) as connection,
        ):
            await ask_async(connection, kind)
            async for event in connection:
                if event.type == EVENTS.get(kind, "response.done"):
                    break

    return make if request.param == "sync" else lambda kind: asyncio.run(make_async(kind))


kinds = pytest.mark.parametrize("kind", ["realtime", "beta", "responses"])


def split(receipts):
    """The sessions' own rows, and the receipts of their turns."""
    found = receipts()
    sessions = [row for row in found if row.operation.endswith("_session")]
    return sessions, [row for row in found if row not in sessions]


@kinds
def test_response_is_one_receipt_with_the_billed_usage(one_response, simulator, receipts, kind):
    one_response(kind)

    _, (turn,) = split(receipts)
    (billed,) = simulator.ledger()
    assert json.loads(turn.raw_usage) == billed["usage"]
    assert turn.response_id == billed["response_id"]
    assert (turn.outcome, turn.billable, turn.usage_source) == ("ok", 1, "provider")


@kinds
def test_turn_names_its_session_which_is_not_billable(one_response, receipts, kind):
    one_response(kind)

    (session,), (turn,) = split(receipts)
    assert (turn.parent_receipt_id, session.billable) == (session.receipt_id, 0)
    assert session.operation == ("responses_session" if kind == "responses" else "realtime_session")


def test_shape_and_model_tell_how_to_price_it(one_response, receipts):
    one_response("realtime")

    _, (turn,) = split(receipts)
    assert (turn.usage_shape, turn.operation) == ("openai.realtime", "realtime")
    assert (turn.request_model, turn.response_model) == ("gpt-realtime", "gpt-realtime")
    assert (turn.provider, turn.sdk, turn.stream) == ("openai", "openai", 1)


def test_response_of_a_responses_session_has_its_shape_and_tier(one_response, receipts):
    one_response("responses")

    _, (turn,) = split(receipts)
    assert (turn.usage_shape, turn.response_model) == ("openai.responses", "gpt-4o-2024-08-06")
    assert json.loads(turn.price_facts) == {"service_tier": "default"}


def test_three_responses_are_three_receipts(client, simulator, receipts):
    with opened(client, "realtime") as connection:
        for _ in range(3):
            ask(connection, "realtime")
            end_of(connection, "realtime")

    _, turns = split(receipts)
    found = sorted(row.response_id for row in turns)
    assert found == sorted(row["response_id"] for row in simulator.ledger())


def test_turn_lasts_from_its_first_event_to_its_last(client, receipts):
    with opened(client, "realtime") as connection:
        ask(connection, "realtime")
        next(event for event in connection if event.type == "response.created")
        time.sleep(0.05)
        end_of(connection, "realtime")

    _, (turn,) = split(receipts)
    assert turn.duration_us > 40_000


def test_turn_belongs_to_who_reads_it_else_to_who_opened_it(client, receipts):
    with anchor_autopatch.attribute(team="voice"):
        manager = opened(client, "realtime")
        connection = manager.enter()
    ask(connection, "realtime")
    end_of(connection, "realtime")
    with anchor_autopatch.attribute(team="search"):
        ask(connection, "realtime")
        end_of(connection, "realtime")
    connection.close()

    _, turns = split(receipts)
    assert sorted(row.team for row in turns) == ["search", "voice"]


@pytest.mark.parametrize(
    ("model", "shape"), [("gpt-4o-transcribe", "input_tokens"), ("whisper-1", "seconds")]
)
def test_transcribed_input_is_a_receipt_of_its_own(client, simulator, receipts, model, shape):
    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": model}}}}
    with opened(client, "realtime") as connection:
        connection.session.update(session=session)
        connection.input_audio_buffer.append(audio=SECOND)
        connection.input_audio_buffer.commit()
        ask(connection, "realtime")
        end_of(connection, "realtime")

    _, turns = split(receipts)
    heard, spoken = sorted(turns, key=lambda row: row.operation, reverse=True)
    assert (heard.operation, heard.response_model) == ("transcription", model)
    assert shape in json.loads(heard.raw_usage)
    assert json.loads(spoken.raw_usage)["input_token_details"]["audio_tokens"] == 10
    assert len(simulator.ledger()) == 2


def test_interrupted_response_is_billed_and_partial(client, simulator, receipts):
    simulator.script(fail="cut")

    with opened(client, "realtime") as connection:
        ask(connection, "realtime")
        end_of(connection, "realtime")

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source, turn.billable) == ("partial", "provider", 1)


def test_failed_response_is_an_event_and_no_receipt(client, simulator, receipts, one_event):
    simulator.script(fail="error_event")

    with opened(client, "realtime") as connection:
        ask(connection, "realtime")
        end_of(connection, "realtime")

    assert split(receipts)[1] == []
    assert (one_event().event_class, one_event().code) == ("provider_5xx", "server_error")


def test_error_event_is_an_exception_event(client, receipts, one_event):
    with opened(client, "realtime") as connection:
        connection.send({"type": "no.such.event"})
        assert next(event for event in connection if event.type == "error")

    assert (one_event().event_class, one_event().code) == ("bad_request", "invalid_value")
    assert split(receipts)[1] == []


def test_lost_connection_leaves_its_open_response(client, simulator, receipts, one_event):
    simulator.script(fail="break")

    with opened(client, "realtime") as connection:
        ask(connection, "realtime")
        with pytest.raises(ConnectionClosedError):
            end_of(connection, "realtime")

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source, turn.billable) == ("partial", "absent", 1)
    assert turn.response_id == simulator.ledger()[0]["response_id"]
    assert one_event().event_class == "partial_stream"


@pytest.mark.parametrize("way", ["close", "forget"])
def test_session_left_in_a_response_leaves_it_open_ended(client, receipts, way):
    connection = opened(client, "realtime").enter()
    ask(connection, "realtime")
    next(event for event in connection if event.type == "response.created")

    if way == "close":
        connection.close()
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            socket, connection = connection._connection, None
            gc.collect()
        socket.close()

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.billable) == ("partial", 1)


def test_refused_session_is_an_event(client, simulator, receipts, one_event):
    simulator.script(path="/v1/realtime#open", fail="auth")

    with pytest.raises(InvalidStatus), opened(client, "realtime"):
        pass

    assert (one_event().event_class, one_event().http_status) == ("auth", 401)
    assert receipts() == []


def test_key_and_words_are_nowhere_on_disk(one_response, home, sim_key):
    one_response("realtime")

    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"secret question" not in stored
    assert sim_key.encode() not in stored


def test_dispatched_events_are_seen_too(client, receipts):
    with opened(client, "realtime") as connection:
        if not hasattr(connection, "dispatch_events"):
            pytest.skip(f"openai {openai.__version__} has no dispatch_events")
        connection.on("response.done", lambda _event: connection.close())
        ask(connection, "realtime")
        connection.dispatch_events()

    _, (turn,) = split(receipts)
    assert turn.usage_source == "provider"


def test_live_session_bills_its_last_seconds_once(client, simulator, receipts):
    if not hasattr(client, "live"):
        pytest.skip(f"openai {openai.__version__} has no live sessions")
    with client.live.connect() as connection:
        for _ in range(3):
            connection.send({"type": "input_audio.append", "audio": SECOND})
        connection.send({"type": "session.close"})
        assert next(event for event in connection if event.type == "session.closed")

    _, (turn,) = split(receipts)
    assert json.loads(turn.raw_usage) == {"seconds": 3.0}
    assert (turn.operation, turn.usage_shape, turn.billable) == ("live", "openai.realtime", 1)


def test_live_session_cut_off_bills_what_was_told(client, receipts):
    if not hasattr(client, "live"):
        pytest.skip(f"openai {openai.__version__} has no live sessions")
    connection = client.live.connect().enter()
    connection.send({"type": "input_audio.append", "audio": SECOND})
    next(event for event in connection if event.type == "session.usage.updated")
    connection.close()

    _, (turn,) = split(receipts)
    assert (turn.outcome, turn.usage_source) == ("partial", "partial")
    assert json.loads(turn.raw_usage) == {"seconds": 1.0}
