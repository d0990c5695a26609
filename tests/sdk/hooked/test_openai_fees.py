"""What OpenAI charges beside answers: sessions held elsewhere, containers, evaluations, agents."""

from __future__ import annotations

import importlib
import json

import openai
import pytest

import anchor_autopatch
from anchor_autopatch.host.providers import batch_files, objects
from anchor_autopatch.host.providers.openai import agents as openai_agents
from tests.sdk.hooked import tapes

MAJOR = int(openai.__version__.partition(".")[0])
LIBRARY = "httpx2" if MAJOR >= 3 else "httpx"
SSE = "text/event-stream"
since_3 = pytest.mark.skipif(MAJOR < 3, reason="new in openai 3")
REALTIME = {
    "id": "sess_1",
    "object": "realtime.session",
    "type": "realtime",
    "model": "gpt-realtime",
}
SECRET = {"value": "ek_1", "expires_at": 1, "session": REALTIME}
HEARD = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
GRADED = {"prompt_tokens": 190, "completion_tokens": 134, "total_tokens": 324, "cached_tokens": 0}


@pytest.fixture(autouse=True)
def _no_objects():
    for memory in (objects._submitted, objects._settled, batch_files._outputs):
        memory.clear()
    openai_agents._models.clear()


def client(answer, **options):
    module = importlib.import_module(LIBRARY)
    http = module.Client(transport=tapes.transport(LIBRARY, answer, **options))
    return openai.OpenAI(api_key="sk-test", max_retries=0, http_client=http)


def billed(rows):
    return [row for row in rows if row.billable]


SESSIONS = {
    "client secret": (
        SECRET,
        lambda c: c.realtime.client_secrets.create(
            session={"type": "realtime", "model": "gpt-realtime"}
        ),
        ("realtime_session", "gpt-realtime", "sess_1"),
    ),
    "client secret of a transcription": (
        {"value": "ek_1", "expires_at": 1, "session": {**HEARD, "id": "sess_2"}},
        lambda c: c.realtime.client_secrets.create(session=HEARD),
        ("realtime_session", "whisper-1", "sess_2"),
    ),
    "telephone call": (
        {},
        lambda c: c.realtime.calls.accept("rtc_1", type="realtime", model="gpt-realtime"),
        ("realtime_session", "gpt-realtime", None),
    ),
    "beta": (
        REALTIME,
        lambda c: c.post(
            "/realtime/sessions", body={"model": "gpt-realtime"}, cast_to=dict[str, object]
        ),
        ("realtime_session", "gpt-realtime", "sess_1"),
    ),
    "chat page": (
        {"id": "cksess_1", "object": "chatkit.session", "client_secret": "s"},
        lambda c: c.beta.chatkit.sessions.create(user="u", workflow={"id": "wf_1"}),
        ("chatkit_session", None, "cksess_1"),
    ),
}


def offered(made, kind):
    """Skips what this version of the SDK does not have."""
    realtime = getattr(made, "realtime", None)
    has = {
        "telephone call": hasattr(realtime, "calls"),
        "chat page": hasattr(made.beta, "chatkit"),
        "beta": True,
    }
    if not has.get(kind, hasattr(realtime, "client_secrets")):
        pytest.skip("this SDK has no such sessions")
    return made


@pytest.mark.parametrize("kind", SESSIONS)
def test_session_that_is_held_elsewhere_says_that_nothing_is_known(home, one_receipt, kind):
    answer, ask, (operation, model, response_id) = SESSIONS[kind]

    ask(offered(client(answer), kind))

    row = one_receipt()
    assert (row.operation, row.billable, row.usage_source) == (operation, 1, "absent")
    assert (row.response_model or row.request_model, row.response_id) == (model, response_id)


def test_call_of_a_browser_is_known_by_its_location(home, one_receipt):
    module = importlib.import_module(LIBRARY)

    def answer(_request):
        headers = {"content-type": "application/sdp", "location": "/v1/realtime/calls/rtc_7"}
        return module.Response(201, headers=headers, content=b"v=0")

    http = module.Client(transport=module.MockTransport(answer))
    made = openai.OpenAI(api_key="sk-test", max_retries=0, http_client=http)
    if not hasattr(made.realtime, "calls") or not hasattr(made.realtime.calls, "create"):
        pytest.skip("this SDK makes no calls")
    made.realtime.calls.create(sdp="v=0", session={"type": "realtime", "model": "gpt-realtime"})

    row = one_receipt()
    assert (row.request_model, row.response_id) == ("gpt-realtime", "rtc_7")


def test_container_is_one_session(home, one_receipt):
    answer = {"id": "cntr_1", "object": "container", "name": "c", "created_at": 1, "status": "x"}

    client(answer).containers.create(name="c")

    row = one_receipt()
    assert (row.operation, row.response_model, row.response_id) == (
        "container", "container", "cntr_1",
    )  # fmt: skip
    assert json.loads(row.price_facts) == {"sessions": 1}


def test_search_in_a_vector_store_is_one_search(home, one_receipt):
    answer = {"object": "vector_store.search_results.page", "data": [], "has_more": False}

    list(client(answer).vector_stores.search("vs_1", query="secret"))

    row = one_receipt()
    assert (row.operation, json.loads(row.price_facts)) == ("search", {"file_searches": 1})


def test_grading_tells_the_tokens_of_its_model(home, one_receipt):
    answer = {
        "reward": 1.0,
        "metadata": {"name": "g", "type": "score_model", "errors": {}, "scores": {}},
        "sub_rewards": {},
        "model_grader_token_usage_per_model": {"gpt-4o-2024-08-06": GRADED},
    }

    client(answer).fine_tuning.alpha.graders.run(
        grader={"type": "score_model", "name": "g", "model": "gpt-4o", "input": []},
        model_sample="x",
    )

    row = one_receipt()
    assert (row.operation, row.response_model) == ("grading", "gpt-4o-2024-08-06")
    assert json.loads(row.raw_usage) == GRADED


@since_3
def test_decision_tells_its_tokens(home, one_receipt):
    usage = {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}
    answer = {"id": "dec_1", "object": "decision", "model": "gpt-d", "answers": [], "usage": usage}

    client(answer).post("/decisions", body={"model": "gpt-d"}, cast_to=dict[str, object])

    row = one_receipt()
    assert (row.operation, row.usage_shape) == ("decision", "openai.responses")
    assert json.loads(row.raw_usage) == usage


RUN = {"id": "evalrun_1", "object": "eval.run", "eval_id": "eval_1", "status": "queued"}


def per_model(*models):
    counted = {**GRADED, "invocation_count": 1}
    return {
        **RUN,
        "status": "completed",
        "per_model_usage": [{**counted, "model_name": model} for model in models],
    }


def test_evaluation_is_billed_at_its_end_to_who_submitted_it(home, receipts):
    with anchor_autopatch.attribute(team="quality"):
        source = {"type": "jsonl", "source": {"type": "file_id", "id": "f"}}
        client(RUN).evals.runs.create("eval_1", data_source=source)
    for answer in (RUN, per_model("gpt-4o"), per_model("gpt-4o")):
        client(answer).evals.runs.retrieve("evalrun_1", eval_id="eval_1")

    assert [row.billable for row in receipts()] == [0, 1]
    (row,) = billed(receipts())
    assert (row.team, row.response_id, row.response_model) == ("quality", "evalrun_1", "gpt-4o")


def test_every_model_of_an_evaluation_has_its_row(home, receipts):
    client(per_model("gpt-4o", "o3")).evals.runs.retrieve("evalrun_1", eval_id="eval_1")

    rows = {row.response_id: row.response_model for row in billed(receipts())}
    assert rows == {"evalrun_1#gpt-4o": "gpt-4o", "evalrun_1#o3": "o3"}
    assert {row.sdk for row in receipts()} == {"openai"}


BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "status": "completed",
    "output_file_id": "file-out",
    "created_at": 1,
    "input_file_id": "file-in",
    "completion_window": "24h",
}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
LINE = {"id": "r", "custom_id": "1", "response": {"body": {"model": "gpt-4o-x", "usage": USAGE}}}
LINES = json.dumps(LINE).encode() + b"\n" + json.dumps({**LINE, "custom_id": "2"}).encode()
OCTETS = "application/octet-stream"


def download(way):
    files = client(LINES, content_type=OCTETS).files
    if way == "whole":
        assert files.content("file-out").content == LINES
        return
    with files.with_streaming_response.content("file-out") as body:
        read = body.read() if way == "read" else b"".join(body.iter_bytes(64))
    assert read == LINES


@pytest.mark.parametrize("way", ["whole", "read", "pieces"])
def test_batch_without_usage_is_billed_by_its_output(home, receipts, way):
    client(BATCH).batches.retrieve("batch_1")
    for _ in range(2):
        download(way)

    (row,) = billed(receipts())
    assert (row.operation, row.response_id, row.response_model) == ("batch", "batch_1", "gpt-4o-x")
    assert json.loads(row.raw_usage)["total_tokens"] == 14
    assert json.loads(row.price_facts)["batch"] is True


def test_batch_with_usage_is_not_billed_again_by_its_output(home, receipts):
    usage = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    client({**BATCH, "usage": usage}).batches.retrieve("batch_1")
    download("whole")

    assert [json.loads(row.raw_usage) for row in billed(receipts())] == [usage]


AGENT = {"id": "agent_1", "model": "gpt-5"}
SESSION = {"id": "as_1", "object": "agent.session", "agent": AGENT, "status": "in_progress"}
TOKENS = {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}
TURN = {
    "id": "turn_1",
    "object": "agent.session.turn",
    "session_id": "as_1",
    "status": "completed",
    "usage": TOKENS,
}
ENDED = {"type": "agent.session.turn.completed", "event_id": "e2", "turn": TURN, "usage": TOKENS}
EVENTS = tapes.sse({"type": "agent.session.created", "event_id": "e1", "session": SESSION}, ENDED)


def submit():
    with anchor_autopatch.attribute(team="agents"):
        client(SESSION).beta.agents.sessions.create(
            agent={"id": "agent_1"}, environment={"type": "none"}, input="hi"
        )


@since_3
def test_session_of_an_agent_is_not_billed_itself(home, one_receipt):
    submit()

    row = one_receipt()
    assert (row.operation, row.billable, row.response_id) == ("agent", 0, "as_1")


PAGE = {"object": "list", "data": [TURN], "has_more": False}


def sessions(answer, **options):
    return client(answer, **options).beta.agents.sessions


READ_TURNS = {
    "events": lambda: list(sessions(EVENTS, content_type=SSE).events.stream("as_1")),
    "turn": lambda: sessions(TURN).turns.retrieve("turn_1", session_id="as_1"),
    "turns": lambda: list(sessions(PAGE).turns.list("as_1")),
}


@since_3
@pytest.mark.parametrize("way", READ_TURNS)
def test_turn_of_an_agent_is_billed_where_its_end_is_read(home, receipts, way):
    submit()
    for _ in range(2):
        READ_TURNS[way]()

    (row,) = billed(receipts())
    assert (row.team, row.response_id, row.response_model) == ("agents", "turn_1", "gpt-5")
    assert json.loads(row.raw_usage) == TOKENS
    assert json.loads(row.price_facts)["batch_id"] == "as_1"


@since_3
def test_next_turn_belongs_to_who_asked_for_it(home, receipts):
    submit()
    with anchor_autopatch.attribute(team="support"):
        sessions(b"", content_type="text/plain").events.create("as_1", events=[])
    READ_TURNS["events"]()

    assert [(row.billable, row.team) for row in receipts()][-1] == (1, "support")


@since_3
def test_session_that_streams_its_turns_bills_them_here(home, receipts):
    made = client(EVENTS, content_type=SSE)

    events = list(
        made.beta.agents.sessions.create(
            agent={"id": "agent_1"}, environment={"type": "none"}, input="hi", stream=True
        )
    )

    assert len(events) == 2
    assert [(row.billable, row.response_id) for row in receipts()] == [(0, "as_1"), (1, "turn_1")]


def test_groq_tells_a_batch_in_its_output_alone(home, receipts):
    groq = pytest.importorskip("groq")
    httpx = importlib.import_module("httpx")

    def made(answer, **options):
        http = httpx.Client(transport=tapes.transport("httpx", answer, **options))
        return groq.Groq(api_key="gsk-test", http_client=http, max_retries=0)

    made(BATCH).batches.retrieve("batch_1")
    assert made(LINES, content_type=OCTETS).files.content("file-out").read() == LINES

    (row,) = billed(receipts())
    assert (row.provider, row.response_id, row.operation) == ("groq", "batch_1", "batch")
