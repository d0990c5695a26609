"""No secret gets through a message; what is no secret stays readable."""

from __future__ import annotations

import time

import pytest

from anchor_autopatch.core.scrub import scrub, scrub_name

SECRETS = [
    "sk-proj-CANARY1234567890abcdef",
    "sk-ant-api03-CANARY1234567890-x_y",
    "AIzaSyCANARY1234567890abcdefghijklmnopq",
    "AKIACANARY1234567890",
    "xoxb-1234567890-CANARYabcdef",
    "ghp_CANARY1234567890abcdef1234567890abcd",
    "hf_CANARYabcdef1234567890",
    "eyJhbGciOiJIUzI1NiJ9.eyJDQU5BUlkiOjF9.c2lnbmF0dXJl",
]
CARRIERS = [
    "Authorization: Bearer CANARY-token-value",
    "authorization=Basic Q0FOQVJZOkNBTkFSWQ==",
    '{"api_key": "CANARYvalue"}',
    "https://host/path?key=CANARYvalue&x=1",
    "https://host/path?api-key=CANARYvalue",
    "https://host/?sig=CANARYvalue",
    "postgresql://user:CANARY@db.example/prod",
    "password=CANARYvalue",
    "x-goog-api-key: CANARYvalue",
    "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----",
    "client_secret='CANARYvalue'",
    "access_token=CANARYvalue",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_key_is_masked_wherever_it_stands(secret):
    assert secret not in scrub(f"failed with {secret}.")
    assert scrub(f"failed with {secret}").startswith("failed with ")


@pytest.mark.parametrize("text", CARRIERS)
def test_carried_secret_is_masked(text):
    cleaned = scrub(text)

    assert "CANARY" not in cleaned
    assert "[redacted]" in cleaned


@pytest.mark.parametrize("secret", [s for s in SECRETS if not s.startswith("xoxb")])
def test_key_is_masked_in_a_name_too(secret):
    assert "CANARY" not in scrub_name(secret, 256)


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit reached for gpt-4o in organization org-1",
        "max_tokens: 4096 is too large",
        "This model's maximum context length is 128000 tokens",
        "connection to api.openai.com:443 refused",
    ],
)
def test_plain_words_stay(text):
    assert scrub(text) == text


def test_scrubbing_twice_changes_nothing():
    once = scrub(" ".join(CARRIERS + SECRETS), 8192)

    assert scrub(once, 8192) == once


@pytest.mark.parametrize(
    "evil",
    ["a" * 100_000, "key=" * 25_000, "-----BEGIN " * 9000, "eyJ" * 30_000, "sk-" * 30_000,
     "api_" * 25_000, "://" * 30_000, '"' * 100_000, "bearer " * 15_000],
)  # fmt: skip
def test_no_text_takes_long(evil):
    began = time.perf_counter()

    scrub(evil)

    assert time.perf_counter() - began < 0.25
