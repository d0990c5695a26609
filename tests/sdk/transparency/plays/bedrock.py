"""Amazon Bedrock through boto3: converse, invoke, and their streams."""

from __future__ import annotations

import gc
import json
from typing import Any, NamedTuple

from tests.sdk.hooked import tapes
from tests.sdk.transparency.performing import Play, Step, outcome

CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
    "metrics": {"latencyMs": 10},
}
MESSAGE = {"id": "msg_1", "type": "message", "usage": {"input_tokens": 9, "output_tokens": 4}}
STREAM = (
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": CONVERSED["usage"], "metrics": {"latencyMs": 10}}),
)
REFUSED = {
    "status": 429,
    "headers": {"x-amzn-errortype": "ThrottlingException", "content-type": "application/json"},
}
TURN = [{"role": "user", "content": [{"text": "Hi"}]}]


class OverBotocore(NamedTuple):
    """Puts a prepared answer in the place of botocore's HTTP; a step is given its client."""

    def tell(self, one: Step) -> str:
        """Runs the step; `answers` holds one pair of body and options."""
        body, options = one.answers[0]
        return outcome(lambda: one.run(tapes.bedrock(body, **options)))


def converse(client: Any) -> Any:
    return client.converse(modelId="amazon.nova-lite-v1:0", messages=TURN)


def start(client: Any) -> Any:
    return client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=TURN)["stream"]


def stream(client: Any) -> Any:
    events = start(client)
    return type(events), list(events), list(events)


def stream_left(client: Any) -> Any:
    events = start(client)
    first = next(iter(events))
    events.close()
    return first


def stream_dropped(client: Any) -> Any:
    first = next(iter(start(client)))
    gc.collect()
    return first


def invoke(client: Any) -> Any:
    return client.invoke_model(modelId="anthropic.claude-3", body=b"{}")["body"]


def into(client: Any) -> Any:
    buffer = bytearray(200)
    count = invoke(client).readinto(buffer)
    return count, bytes(buffer)


def in_parts(client: Any) -> Any:
    body = invoke(client)
    return body.read(5), body.read(), body.read()


def dropped(client: Any) -> Any:
    body = invoke(client)
    del body
    gc.collect()


def closed(client: Any) -> Any:
    body = invoke(client)
    return body.read(3), body.close()


def invoke_stream(client: Any) -> Any:
    answer = client.invoke_model_with_response_stream(modelId="anthropic.claude-3", body=b"{}")
    return list(answer["body"])


READS = {
    "read": lambda client: invoke(client).read(),
    "read in parts": in_parts,
    "chunks": lambda client: list(invoke(client).iter_chunks(7)),
    "lines": lambda client: list(invoke(client).iter_lines()),
    "all lines": lambda client: invoke(client).readlines(),
    "into": into,
    "closed": closed,
    "dropped": dropped,
}


def answer(body: Any, **options: Any) -> Any:
    return ((body if isinstance(body, bytes) else json.dumps(body).encode(), options),)


PIECE = ("chunk", {"bytes": "eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="})
STEPS: dict[str, Step] = {
    "converse": Step(converse, answer(CONVERSED)),
    "refused": Step(converse, answer({"message": "too many"}, **REFUSED)),
    "broken body": Step(converse, answer(b'{"output":')),
    "stream": Step(stream, answer(tapes.events(*STREAM))),
    "stream left": Step(stream_left, answer(tapes.events(*STREAM))),
    "stream dropped": Step(stream_dropped, answer(tapes.events(*STREAM))),
    "stream cut": Step(stream, answer(tapes.events(*STREAM)[:-40])),
    "invoke stream": Step(invoke_stream, answer(tapes.events(PIECE))),
    "another service": Step(
        lambda client: client.list_tables(), answer({"TableNames": []}, service="dynamodb")
    ),
    **{f"invoke {name}": Step(read, answer(MESSAGE)) for name, read in READS.items()},
}
PLAY = Play(OverBotocore(), STEPS)
