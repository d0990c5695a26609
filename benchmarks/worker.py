"""Runs in an SDK world.

Makes a block of calls for each line on stdin, answers with what they took in us.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

_BLOCK = 40
_MESSAGES = [{"role": "user", "content": "hello"}]


def _works(urls: dict[str, str]) -> dict[str, Callable[[], object]]:
    import anthropic
    import openai
    from google import genai

    chat = openai.OpenAI(api_key="bench", base_url=urls["openai"] + "/v1")
    claude = anthropic.Anthropic(api_key="bench", base_url=urls["anthropic"])
    gemini = genai.Client(api_key="bench", http_options={"base_url": urls["gemini"]})
    return {
        "chat": lambda: chat.chat.completions.create(model="gpt-4o", messages=_MESSAGES),
        "stream": lambda: list(
            chat.chat.completions.create(model="gpt-4o", messages=_MESSAGES, stream=True)
        ),
        "anthropic": lambda: claude.messages.create(
            model="claude-haiku-4-5", max_tokens=9, messages=_MESSAGES
        ),
        "gemini": lambda: gemini.models.generate_content(
            model="gemini-2.5-flash", contents="hello"
        ),
    }


def _block(work: Callable[[], object]) -> dict[str, object]:
    wall = []
    cpu = time.process_time_ns()
    for _ in range(_BLOCK):
        began = time.perf_counter_ns()
        work()
        wall.append((time.perf_counter_ns() - began) / 1000)
    return {"wall": wall, "cpu": (time.process_time_ns() - cpu) / 1000 / _BLOCK}


def main() -> None:
    """Answers until stdin ends."""
    works = _works(json.loads(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(_block(works[line.strip()])), flush=True)


if __name__ == "__main__":
    main()
