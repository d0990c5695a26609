"""What is measured: functions that work for a while and give their samples by metric.

Metrics: `wall` us of each call, `cpu` us of a call (mean of the block), `first` us to a stream's
first chunk, `chunk` us for each further one.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

from benchmarks import transport
from benchmarks.clock import stopwatch

Samples = dict[str, list[float]]
Work = Callable[[int], Samples]
_MESSAGES = [{"role": "user", "content": "hello"}]
_TOGETHER = 200
_took = stopwatch()


def in_process() -> dict[str, Work]:
    """Works whose provider is inside this process."""
    import anthropic
    import openai

    here = "http://127.0.0.1:1"
    for_openai = transport.library_of(openai)
    plain, waiting = transport.transports(for_openai)
    chat = openai.OpenAI(
        api_key="bench", base_url=here, http_client=for_openai.Client(transport=plain)
    )
    together = openai.AsyncOpenAI(
        api_key="bench", base_url=here, http_client=for_openai.AsyncClient(transport=waiting)
    )
    for_anthropic = transport.library_of(anthropic)
    claude = anthropic.Anthropic(
        api_key="bench",
        base_url=here,
        http_client=for_anthropic.Client(transport=transport.transports(for_anthropic)[0]),
    )
    unrelated = for_openai.Client(transport=plain)
    return {
        "chat": _calls(lambda: _chat(chat)),
        "anthropic": _calls(lambda: _message(claude)),
        "stream": lambda count: _streams(chat, count),
        "together": lambda count: _batches(together, count),
        "unrelated": _calls(lambda: unrelated.get("http://status.example/")),
    }


def over_http(urls: dict[str, str]) -> dict[str, Work]:
    """Works whose provider is the simulator."""
    import anthropic
    import openai
    from google import genai

    chat = openai.OpenAI(api_key="bench", base_url=urls["openai"] + "/v1")
    claude = anthropic.Anthropic(api_key="bench", base_url=urls["anthropic"])
    gemini = genai.Client(api_key="bench", http_options={"base_url": urls["gemini"]})
    works: dict[str, Callable[[], object]] = {
        "chat": lambda: _chat(chat),
        "anthropic": lambda: _message(claude),
        "gemini": lambda: gemini.models.generate_content(
            model="gemini-2.5-flash", contents="hello"
        ),
    }
    try:
        import litellm
    except ImportError:
        pass
    else:
        works["litellm"] = lambda: litellm.completion(
            model="openai/gpt-4o",
            messages=_MESSAGES,
            api_key="bench",
            api_base=urls["openai"] + "/v1",
        )
    return {name: _calls(work) for name, work in works.items()}


def _chat(client: Any) -> object:
    return client.chat.completions.create(model="gpt-4o", messages=_MESSAGES)


def _message(client: Any) -> object:
    return client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=_MESSAGES)


def _calls(call: Callable[[], object]) -> Work:
    def work(count: int) -> Samples:
        began = time.process_time_ns()
        wall = [_took(call) for _ in range(count)]
        return {"wall": wall, "cpu": [(time.process_time_ns() - began) / 1000 / count]}

    return work


def _streams(client: Any, count: int) -> Samples:
    found: Samples = {"first": [], "chunk": []}
    for _ in range(count):
        chunks: list[Any] = []

        def to_the_first(chunks: list[Any] = chunks) -> None:
            stream = client.chat.completions.create(model="gpt-4o", messages=_MESSAGES, stream=True)
            chunks.append(iter(stream))
            next(chunks[0])

        found["first"].append(_took(to_the_first))
        # The end of the stream, where the receipt is written, is no chunk's.
        few = itertools.islice(chunks[0], transport.CHUNKS - 2)
        found["chunk"].append(_took(lambda few=few: sum(1 for _ in few)) / (transport.CHUNKS - 2))
        for _ in chunks[0]:
            pass
    return found


def _batches(client: Any, count: int) -> Samples:
    async def batch() -> None:
        calls = (
            client.chat.completions.create(model="gpt-4o", messages=_MESSAGES)
            for _ in range(_TOGETHER)
        )
        await asyncio.gather(*calls)

    loop = asyncio.new_event_loop()
    took = [_took(lambda: loop.run_until_complete(batch())) / _TOGETHER for _ in range(count)]
    loop.close()
    return {"wall": took}
