"""What a chat in openai's dialect is asked and answers; groq speaks it too."""

from __future__ import annotations

from typing import Any

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
ASK = [{"role": "user", "content": "Hi"}]


def chunk(index: int = 0, content: str | None = "Hello", finish: str | None = None) -> Any:
    delta = {"content": content} if content else {}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }


ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": '{"x": 1}'},
        }
    ],
    "usage": USAGE,
}
CHUNKS = (chunk(), chunk(content=" you"), chunk(content=None, finish="stop"))
TOLD = {**chunk(), "choices": [], "usage": USAGE}
