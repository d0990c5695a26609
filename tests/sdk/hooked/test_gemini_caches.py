"""A cache of Gemini's tells from when to when it is stored."""

from __future__ import annotations

import json

import httpx

from tests.sdk.hooked import tapes

MADE = {
    "name": "cachedContents/1",
    "model": "models/gemini-3.8-flash",
    "createTime": "2026-11-01T10:00:00.123456789Z",
    "expireTime": "2026-11-01T11:00:00.123456789Z",
    "usageMetadata": {"totalTokenCount": 4096},
}


def test_a_cache_tells_its_tokens_and_its_time(home, one_receipt):
    from google import genai

    options = {"httpx_client": httpx.Client(transport=tapes.transport("httpx", MADE))}
    client = genai.Client(api_key="gemini-test", http_options=options)

    client.caches.create(model="gemini-3.8-flash", config={"ttl": "3600s"})

    receipt = one_receipt()
    assert (receipt.operation, receipt.usage_shape) == ("cache_creation", "gemini.cached_content")
    assert json.loads(receipt.price_facts) == {
        "ttl": "3600s",
        "createTime": MADE["createTime"],
        "expireTime": MADE["expireTime"],
    }
