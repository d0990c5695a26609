"""One process of an application: submits work to a provider, or reads what became of it.

Run by the tests as `acting.py ACTION [ID]`, with real SDKs and the hook on; prints the object's id.
"""

from __future__ import annotations

import io
import json
import sys

ENDED = ("completed", "ended")


def openai_client():
    import openai

    return openai.OpenAI(max_retries=0, timeout=60)


def anthropic_client():
    import anthropic

    return anthropic.Anthropic(max_retries=0, timeout=60)


def until_ended(retrieve, number):
    for _ in range(5):
        answer = retrieve(number)
        if getattr(answer, "status", None) in ENDED or (
            getattr(answer, "processing_status", None) in ENDED
        ):
            return answer
    raise SystemExit(f"{number} does not end")


def submit_response():
    create = openai_client().responses.create
    return create(model="gpt-5", input="A long story, please.", background=True).id


def read_response(number):
    until_ended(openai_client().responses.retrieve, number)


def call_response():
    return openai_client().responses.create(model="gpt-5", input="A short story, please.").id


def submit_batch():
    client = openai_client()
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "Name a colour."}]}
    lines = [
        json.dumps(
            {"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": body}
        )
        for n in range(3)
    ]
    text = io.BytesIO("\n".join(lines).encode())
    file = client.files.create(file=("batch.jsonl", text), purpose="batch")
    create = client.batches.create
    window = "24h"
    return create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window=window
    ).id


def read_batch(number):
    until_ended(openai_client().batches.retrieve, number)


def submit_messages():
    params = {"model": "claude-haiku-4-5", "max_tokens": 50}
    params["messages"] = [{"role": "user", "content": "Name a colour."}]
    asked = [{"custom_id": str(n), "params": params} for n in range(3)]
    return anthropic_client().messages.batches.create(requests=asked).id


def read_messages(number):
    client = anthropic_client()
    until_ended(client.messages.batches.retrieve, number)
    for _ in client.messages.batches.results(number):
        pass


if __name__ == "__main__":
    sys.stdout.write(globals()[sys.argv[1]](*sys.argv[2:]) or "")
