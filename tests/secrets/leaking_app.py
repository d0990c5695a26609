"""An application that lets secrets into everything that a call has: run with the hook on.

`leaking_app.py URL`, with one JSON list of texts on its standard input; each text takes every path.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress

import httpx2
import openai

from anchor_autopatch import attribute, record

log = logging.getLogger("shop")
log.addHandler(logging.NullHandler())
log.propagate = False
HTTP = httpx2.Client(verify=False)
"""One for all clients: reading the certificates of each anew takes most of its time."""
ASK = [{"role": "user", "content": "hello"}]


def client(url, **options):
    usual = {"api_key": "sk-plain", "base_url": url, "max_retries": 0, "http_client": HTTP}
    return openai.OpenAI(**usual | options)


def in_the_providers_message(url, text):
    # The server answers with an error that quotes what it was asked.
    client(url + "/refused/v1").chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}]
    )


def in_prompt_and_answer(url, text):
    client(url + "/v1").chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}]
    )


def in_the_stream(url, text):
    ask = [{"role": "user", "content": text}]
    told = client(url + "/refused/v1")
    list(told.chat.completions.create(model="gpt-4o", messages=ask, stream=True))


def as_the_key(url, text):
    client(url + "/v1", api_key=_one_line(text)).chat.completions.create(
        model="gpt-4o", messages=ASK
    )


def in_headers(url, text):
    headers = {"x-secret": _one_line(text), "Authorization": _one_line(text)}
    client(url + "/refused/v1", default_headers=headers).chat.completions.create(
        model="gpt-4o", messages=ASK, extra_headers={"x-api-key": _one_line(text)}
    )


def in_the_query(url, text):
    client(url + "/v1", default_query={"key": text}).chat.completions.create(
        model="gpt-4o", messages=ASK
    )


def in_the_address(url, text):
    secret = text.rpartition("=")[2].rpartition(" ")[2]
    address = url.replace("//", f"//user:{_plain(secret)}@")
    client(address + "/v1").chat.completions.create(model="gpt-4o", messages=ASK)


def at_a_host_that_is_down(url, text):
    secret = _plain(text)
    client(f"http://user:{secret}@127.0.0.1:9/v1?key={secret}").models.list()


def in_the_applications_own_request(url, text):
    secret = _plain(text)
    address = f"{url}/v1/chat/completions?key={secret}"
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    HTTP.post(address, json=body, headers={"Authorization": f"Bearer {secret}"})


def at_another_service_that_is_down(url, text):
    secret = _plain(text)
    HTTP.get(f"http://user:{secret}@localhost:9/{secret}?key={secret}", headers={"x-key": secret})


def in_the_applications_log(url, text):
    try:
        raise ValueError(text)  # noqa: TRY301 - the application, not a test
    except ValueError as error:
        log.exception("Failed at %s", text)
        log.error(f"Failed: {error}")  # noqa: G004, TRY400 - what applications do


def in_tags(url, text):
    names = {"team": text, "service": text, "feature": text, "environment": text}
    with attribute(**names, user_id=text, request_id=text, cost=text, note=f"see {text}"):
        client(url + "/v1").chat.completions.create(model="gpt-4o", messages=ASK)


def in_a_record(url, text):
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "note": text, "details": [{"x": text}]}
    record({"usage": usage, "choices": [{"text": text}]}, provider="openai")


def in_an_exception_of_the_application(url, text):
    with attribute(team="search"):
        raise ValueError(text)


def _one_line(text):
    return text.replace("\n", " ")


def _plain(text):
    return "".join(c for c in text if c.isalnum() or c in "-_.")


PATHS = [
    in_the_providers_message,
    in_prompt_and_answer,
    in_the_stream,
    as_the_key,
    in_headers,
    in_the_query,
    in_the_address,
    at_a_host_that_is_down,
    at_another_service_that_is_down,
    in_the_applications_log,
    in_the_applications_own_request,
    in_tags,
    in_a_record,
    in_an_exception_of_the_application,
]


def main(url):
    for text in json.load(sys.stdin):
        for path in PATHS:
            with suppress(openai.OpenAIError, httpx2.HTTPError, ValueError):
                path(url, text)
    os.write(1, b"done")


if __name__ == "__main__":
    main(sys.argv[1])
