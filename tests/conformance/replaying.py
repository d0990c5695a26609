"""Replays exchanges: `python -m tests.conformance.replaying ROUTE MODE HTTPX OUT [ID...]`.

Writes one JSON line for each exchange: what the application saw. With the hook on PYTHONPATH the
receipts go to ANCHOR_HOME as always, each with the exchange's id as its request id.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import re
import sys
import warnings
from pathlib import Path

from tests.conformance import corpus, routes

FREEZE_EVERY = 100
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def main(route, mode, httpx, out, *ids):
    warnings.simplefilter("ignore")
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    replayer = corpus.replayer()
    replayer.HX["name"] = httpx
    if route == "native":
        replayer.plan = routes.plan
    wanted = set(ids)
    with Path(out).open("w", encoding="utf-8") as file:
        chosen = [x for x in corpus.exchanges() if not wanted or x["id"] in wanted]
        for number, exchange in enumerate(chosen):
            file.write(json.dumps(observe(replayer, exchange, mode)) + "\n")
            if number % FREEZE_EVERY == 0:
                # What the SDKs' imports made need not be looked through again: 0.3 s each time.
                gc.freeze()


def observe(replayer, exchange, mode):
    """What an application sees of one exchange, as JSON."""
    with attributed(exchange["id"]):
        result = replayer.replay(exchange, mode)
    return {
        "id": exchange["id"],
        "sdk": result.sdk,
        "method": result.method,
        "outcome": result.outcome,
        "reason": ADDRESS.sub("*", result.reason),
        "exception": exception_of(result),
        "value": digest([result.value, result.events]),
        "sent": digest([without_our_wish(sent) for sent in result.sent]),
        "requests": len(result.sent),
    }


def attributed(request_id):
    if "anchor_autopatch.host.startup" not in sys.modules:
        return contextlib.nullcontext()
    import anchor_autopatch

    return anchor_autopatch.attribute(request_id=request_id)


def exception_of(result):
    error = result.exception
    return (
        error and f"{type(error).__module__}.{type(error).__name__}: {ADDRESS.sub('*', str(error))}"
    )


def without_our_wish(sent):
    """A request without the one thing that the hook may add to it."""
    body = sent["json"]
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != "stream_options"}
    return [sent["method"], sent["url"], body]


def digest(value):
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()[:16]


def plain(value, depth=0):  # noqa: PLR0911 - one for each kind of value
    """Any value of an SDK as JSON, with the types that the application sees."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, dict):
        return {str(name): plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, depth + 1) for inner in value]
    dump = getattr(value, "model_dump_json", None)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if dump is not None:
        return [kind, dump(warnings=False)]
    if depth < 6 and hasattr(value, "_asdict"):
        return [kind, plain(value._asdict(), depth + 1)]
    return [kind]


if __name__ == "__main__":
    main(*sys.argv[1:])
