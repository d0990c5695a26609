"""`make memory`: a process that makes a million calls stays as small as it was.

Real SDK calls against an HTTP transport in memory, each answer with an id of its own: plain,
streamed to the end, streamed and left, dropped unread, refused, recorded by hand. Prints the
resident memory at each tenth, and fails when it has grown from the first tenth to the last.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

ALLOWED_MB = 4.0
"""From the first tenth to the last; a leak of 10 bytes a call would be 9 MB."""
_TENTHS = 10
_KEPT_OUTBOXES = 3
_HOUSEKEEPING = 20_000
_RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")
_KB = 1024
_ASK: Any = [{"role": "user", "content": "hello"}]
_USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def main() -> int:
    """Makes the calls; 1 when memory has grown, 2 where it cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    calls = parser.parse_args().calls
    if not Path("/proc/self/status").exists():
        print("No /proc/self/status: this figure needs Linux", file=sys.stderr)
        return 2
    home = Path(tempfile.mkdtemp(prefix="anchor-memory-"))
    os.environ |= {"ANCHOR_HOME": str(home), "ANCHOR_PROVIDER_HOSTS": "llm.example=openai"}
    import anchor_autopatch

    anchor_autopatch.install()
    sizes = _sizes(calls, home)
    grown = sizes[-1] - sizes[0]
    print(
        f"{calls:,} calls: {grown:+.1f} MB from the first tenth to the last ({ALLOWED_MB} allowed)"
    )
    return 1 if grown > ALLOWED_MB else 0


def _sizes(calls: int, home: Path) -> list[float]:
    """Resident MB after each tenth of the calls."""
    uses, numbers, sizes = _uses(), count(), []
    for tenth in range(_TENTHS):
        for _ in range(calls // _TENTHS):
            number = next(numbers)
            uses[number % len(uses)]()
            if number % _HOUSEKEEPING == 0:
                _ship(home)
        gc.collect()
        sizes.append(_resident_mb())
        print(f"  {(tenth + 1) * calls // _TENTHS:>9,} calls {sizes[-1]:7.1f} MB", flush=True)
    return sizes


def _resident_mb() -> float:
    found = _RESIDENT.search(Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / _KB


def _ship(home: Path) -> None:
    """Removes the older outboxes, as the job would."""
    files = sorted(home.glob("outbox/*.db"), key=lambda path: path.stat().st_mtime)
    for path in files[:-_KEPT_OUTBOXES]:
        for part in home.glob(f"outbox/{path.name}*"):
            part.unlink(missing_ok=True)


def _uses() -> list[Callable[[], Any]]:
    import openai

    from anchor_autopatch import record

    client = _client(openai)
    chats = client.chat.completions

    def plain() -> None:
        chats.create(model="gpt-4o", messages=_ASK)

    def streamed() -> None:
        list(chats.create(model="gpt-4o", messages=_ASK, stream=True))

    def left() -> None:
        stream = chats.create(model="gpt-4o", messages=_ASK, stream=True)
        next(stream)
        stream.close()

    def dropped() -> None:
        chats.create(model="gpt-4o", messages=_ASK, stream=True)

    def refused() -> None:
        with suppress(openai.RateLimitError):
            chats.create(model="refused", messages=_ASK)

    ids = count()

    def recorded() -> None:
        record({"id": f"mine-{next(ids)}", "usage": _USAGE}, provider="self-hosted", model="m")

    # Mostly plain ones, as programs make them.
    return [*[plain] * 14, streamed, streamed, left, dropped, refused, recorded]


def _client(openai: Any) -> Any:
    http = importlib.import_module("httpx2" if openai.__version__ >= "3" else "httpx")
    numbers = count()

    def answer(request: Any) -> Any:
        asked = json.loads(request.content)
        known = {"id": f"chatcmpl-{next(numbers)}", "created": 1, "model": "gpt-4o"}
        if asked["model"] == "refused":
            return http.Response(429, json={"error": {"message": "too many", "code": "rate"}})
        if asked.get("stream"):
            return http.Response(200, content=_events(known), headers=_EVENTS)
        message = {"role": "assistant", "content": "Hi"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {**known, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        return http.Response(200, json=whole)

    transport = http.MockTransport(answer)
    return openai.OpenAI(
        base_url="http://llm.example/v1",
        api_key="k",
        max_retries=0,
        http_client=http.Client(transport=transport),
    )


_EVENTS = {"content-type": "text/event-stream"}


def _events(known: dict[str, Any]) -> bytes:
    piece = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
    chunk = {**known, "object": "chat.completion.chunk", "choices": [piece]}
    last = {**chunk, "choices": [], "usage": _USAGE}
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in (chunk, chunk, last))


if __name__ == "__main__":
    sys.exit(main())
