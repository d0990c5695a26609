"""An application with another observer in it: `python -m tests.peers.app NAME ORDER`.

It makes the same calls each time and prints, as one line of JSON, what it got and which spans the
observer has made of it. ORDER says when `anchor_autopatch` comes in: `before` or `after` the other
one, or `never`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from google import genai

from tests.peers.observers import OBSERVERS
from tests.sdk.transparency import telling

WORDS = 'hello there [[sim id=fixed_1 text="one two three"]]'
ASK: Any = [{"role": "user", "content": WORDS}]
REFUSED: Any = [{"role": "user", "content": "hello [[sim fail=rate_limit]]"}]
# What the simulator, or the SDK, makes anew for each answer.
_FRESH = re.compile(
    r"'(?:created|created_at|completed_at)': [^,}]+"
    r"|'date': '[^']*'"
    r"|\b(?:req|msg|rs|resp|chatcmpl)[-_]\w+"
)
# A stream that is asked for usage has a usage of null in each chunk: the one trace of our asking.
_NULL_USAGE = re.compile(r", 'usage'(?=\])")


def clients() -> tuple[Any, Any, Any]:
    """The clients of the three SDKs, told to ask the simulator once."""
    openai_url, anthropic_url, gemini_url = os.environ["SIMULATOR"].split()
    options = genai.types.HttpOptions(base_url=gemini_url)
    return (
        openai.OpenAI(base_url=openai_url, api_key="k", max_retries=0),
        anthropic.Anthropic(base_url=anthropic_url, api_key="k", max_retries=0),
        genai.Client(api_key="k", http_options=options),
    )


def calls() -> dict[str, Callable[[], Any]]:
    """Name -> call."""
    one, two, three = clients()
    chat: Any = {"model": "gpt-4o", "messages": ASK}
    message: Any = {"model": "claude-x", "max_tokens": 9, "messages": ASK}
    content: Any = {"model": "gemini-x", "contents": WORDS}

    async def chat_later(**more: Any) -> Any:
        # A client for each loop: its connections are the loop's.
        async with openai.AsyncOpenAI(base_url=one.base_url, api_key="k", max_retries=0) as later:
            answer = await later.chat.completions.create(**chat, **more)
            return [chunk async for chunk in answer] if more else answer

    def left() -> Any:
        stream = one.chat.completions.create(**chat, stream=True)
        first = next(iter(stream))
        stream.close()
        return first

    def helper() -> Any:
        with two.messages.stream(**message) as stream:
            return list(stream.text_stream), stream.get_final_message()

    return {
        "chat": lambda: one.chat.completions.create(**chat),
        "chat refused": lambda: one.chat.completions.create(model="gpt-4o", messages=REFUSED),
        "chat stream": lambda: list(one.chat.completions.create(**chat, stream=True)),
        "chat stream left": left,
        "raw": lambda: one.chat.completions.with_raw_response.create(**chat).parse(),
        "async chat": lambda: asyncio.run(chat_later()),
        "async chat stream": lambda: asyncio.run(chat_later(stream=True)),
        "response": lambda: one.responses.create(model="gpt-4o", input=WORDS),
        "embeddings": lambda: one.embeddings.create(model="e", input="hello"),
        "message": lambda: two.messages.create(**message),
        "message stream": lambda: list(two.messages.create(**message, stream=True)),
        "message helper": helper,
        "content": lambda: three.models.generate_content(**content),
        "content stream": lambda: list(three.models.generate_content_stream(**content)),
    }


def told(call: Callable[[], Any]) -> str:
    """The result or the error of one call, without what is new each time."""
    try:
        text = telling.result(call())
    except Exception as error:  # noqa: BLE001 - told, not hidden
        text = telling.error(error)
    return _NULL_USAGE.sub("", _FRESH.sub("fresh", text))


def main(name: str, order: str) -> None:
    """Starts the observer, makes the calls, prints what came of them."""
    warnings.simplefilter("ignore")
    spans = OBSERVERS[name]()
    if order == "after":
        import anchor_autopatch

        anchor_autopatch.install()
    answers = {one: told(call) for one, call in calls().items()}
    sys.stdout.write(json.dumps({"told": answers, "spans": sorted(spans())}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
