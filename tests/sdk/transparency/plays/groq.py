"""The groq SDK: chat in every shape; usage stands in `x_groq` of its last chunk."""

from __future__ import annotations

import groq

from tests.sdk.transparency.performing import OverHttp, Play, Step
from tests.sdk.transparency.plays import openai_answers as openai
from tests.sdk.transparency.plays import stainless

SDK = OverHttp(
    "httpx",
    lambda http, _: groq.Groq(api_key="k", http_client=http, max_retries=0),
    lambda _, http: groq.AsyncGroq(api_key="k", http_client=http, max_retries=0),
)
LAST = {**openai.chunk(content=None, finish="stop"), "x_groq": {"id": "r", "usage": openai.USAGE}}
CHAT = stainless.Asked(
    lambda client: client.chat.completions,
    {"model": "llama", "messages": openai.ASK},
    openai.ANSWER,
    (openai.chunk(), openai.chunk(content=" you"), LAST, "[DONE]"),
)
STEPS: dict[str, Step] = {f"chat {name}": one for name, one in stainless.steps(CHAT).items()}

PLAY = Play(SDK, STEPS)
