"""What the sample applications share: a real call of a real SDK, and a note of who made it.

A provider sees nothing of who asks, so each call's response id is noted beside the name that the
request came with: by that the tests find the receipt that has to bear the name.
"""

from __future__ import annotations

import os
from functools import cache

import openai

_MESSAGES = [{"role": "user", "content": "hello"}]
_client = openai.OpenAI(base_url=os.environ["SIMULATOR"], api_key="sk-test", max_retries=2)


def call(name: str) -> str:
    """One call for the named request; returns the response id."""
    answer = _client.chat.completions.create(model="gpt-4o", messages=_MESSAGES)
    return _note(name, answer.id)


@cache
def _async_client() -> openai.AsyncOpenAI:
    # Made where the loop runs that uses it.
    return openai.AsyncOpenAI(base_url=os.environ["SIMULATOR"], api_key="sk-test", max_retries=2)


async def call_async(name: str) -> str:
    """The same with the asynchronous client."""
    answer = await _async_client().chat.completions.create(model="gpt-4o", messages=_MESSAGES)
    return _note(name, answer.id)


def _note(name: str, response_id: str) -> str:
    file = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{name} {response_id}\n".encode())
    finally:
        os.close(file)
    return response_id
