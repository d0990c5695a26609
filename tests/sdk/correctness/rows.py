"""The calls that other observers count wrongly, and what each of them costs in truth.

Every row is a way to make one call; the simulator's ledger says what its provider would bill.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, NamedTuple

import anchor_autopatch

ASK: list[dict[str, str]] = [{"role": "user", "content": "hello there"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": ASK}
MESSAGE: dict[str, Any] = {"model": "claude-x", "max_tokens": 500, "messages": ASK}
TOKENS = {
    "openai": {"prompt_tokens": 1234, "completion_tokens": 200, "total_tokens": 1434},
    "anthropic": {"input_tokens": 1234, "output_tokens": 200},
    # Thoughts stand beside the answer's tokens, and are billed like them.
    "gemini": {
        "promptTokenCount": 1234,
        "candidatesTokenCount": 64,
        "thoughtsTokenCount": 136,
        "totalTokenCount": 1434,
    },
}
"""What the provider is made to bill: 1,234 tokens in, 200 out."""


class Clients(NamedTuple):
    """What a row makes its call with."""

    openai: Any
    anthropic: Any
    gemini: Any
    simulator: Any


class Row(NamedTuple):
    """One way to make a call."""

    provider: str
    run: Callable[[Clients], Any]
    calls: int = 1
    """How many calls of the provider it makes."""
    whole: bool = True
    """False where the application leaves before the usage is told: the call has to be there, as
    one whose usage is not known."""
    needs: str | None = None
    """A package that is not in every SDK world."""


def chat_stream(clients: Clients) -> Any:
    return list(clients.openai.chat.completions.create(**CHAT, stream=True))


def two_choices(clients: Clients) -> Any:
    return list(clients.openai.chat.completions.create(**CHAT, stream=True, n=2))


def raw_stream(clients: Clients) -> Any:
    raw = clients.openai.chat.completions.with_raw_response
    return list(raw.create(**CHAT, stream=True).parse())


def streaming_response(clients: Clients) -> Any:
    create = clients.openai.chat.completions.with_streaming_response.create
    with create(**CHAT) as response:
        return response.json()


def posted(clients: Clients) -> Any:
    return clients.openai.post("/chat/completions", body=CHAT, cast_to=object)


def stream_closed(clients: Clients) -> Any:
    stream = clients.openai.chat.completions.create(**CHAT, stream=True)
    first = [next(stream) for _ in range(3)]
    stream.close()
    return first


def after_abandoned(clients: Clients) -> Any:
    stream = clients.openai.chat.completions.create(**CHAT, stream=True)
    next(stream)
    answer = clients.openai.chat.completions.create(**CHAT)
    stream.close()
    return answer


def in_a_pool(clients: Clients) -> Any:
    with anchor_autopatch.attribute(team="search"), ThreadPoolExecutor(2) as pool:
        return pool.submit(clients.openai.chat.completions.create, **CHAT).result()


def message_stream(clients: Clients) -> Any:
    return list(clients.anthropic.messages.create(**MESSAGE, stream=True))


def message_helper(clients: Clients) -> Any:
    with clients.anthropic.messages.stream(**MESSAGE) as stream:
        return stream.get_final_message()


def content(clients: Clients) -> Any:
    return clients.gemini.models.generate_content(model="gemini-2.5-flash", contents="hello")


def content_stream(clients: Clients) -> Any:
    start = clients.gemini.models.generate_content_stream
    return list(start(model="gemini-2.5-flash", contents="hello"))


def litellm_stream(clients: Clients) -> Any:
    import litellm

    base = f"{clients.simulator.openai}/v1"
    return list(
        litellm.completion(
            "openai/gpt-4o", messages=ASK, stream=True, api_base=base, api_key="k", max_retries=0
        )
    )


def litellm_anthropic(clients: Clients) -> Any:
    import litellm

    base = clients.simulator.anthropic
    return litellm.completion("anthropic/claude-x", messages=ASK, api_base=base, api_key="k")


ROWS: dict[str, Row] = {
    "stream without include_usage": Row("openai", chat_stream),
    "stream of two choices": Row("openai", two_choices),
    "with_raw_response, streamed": Row("openai", raw_stream),
    "with_streaming_response": Row("openai", streaming_response),
    "client.post": Row("openai", posted),
    "anthropic create, streamed": Row("anthropic", message_stream),
    "anthropic messages.stream()": Row("anthropic", message_helper),
    "gemini with thoughts": Row("gemini", content),
    "gemini with thoughts, streamed": Row("gemini", content_stream),
    "litellm stream without usage": Row("openai", litellm_stream, needs="litellm"),
    "litellm to anthropic": Row("anthropic", litellm_anthropic, needs="litellm"),
    "stream closed after 3 chunks": Row("openai", stream_closed, whole=False),
    "call after an abandoned stream": Row("openai", after_abandoned, calls=2, whole=False),
    "thread pool": Row("openai", in_a_pool),
}


def is_here(row: Row) -> bool:
    """True where this environment has what the row needs."""
    return row.needs is None or find_spec(row.needs) is not None
