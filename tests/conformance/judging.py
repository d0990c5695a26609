"""Compares the recording, what an application saw without us, and what it saw with us."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import NamedTuple

SEEN = ("outcome", "exception", "value", "sent", "requests")
"""What an application can notice."""
_VISIBLE = "application sees a difference"


class Miss(NamedTuple):
    """One exchange that is not as it should be."""

    id: str
    provider: str
    kind: str
    stream: bool
    sdk: str
    reason: str
    detail: str


class Verdict(NamedTuple):
    """The outcome of one replay of many exchanges."""

    exchanges: int
    replayable: int
    matches: int
    misses: list[Miss]


def judge(exchanges, expected, bare, hooked, receipts):
    """The verdict over all exchanges that were replayed.

    Args:
        exchanges: The recordings.
        expected: Exchange id -> Expected.
        bare: Exchange id -> what an application without us saw.
        hooked: The same with us.
        receipts: Exchange id -> its receipts.
    """
    misses, replayable, matches = [], 0, 0
    for exchange in exchanges:
        alone, ours = bare[exchange["id"]], hooked[exchange["id"]]
        if not is_replayable(alone):
            if visible(alone) != visible(ours):
                misses.append(_miss(exchange, alone, _VISIBLE, ours["reason"]))
            elif alone["outcome"] != "unmapped":
                misses.append(_miss(exchange, alone, "the SDK cannot send it", alone["reason"]))
            continue
        replayable += 1
        found = _differences(alone, ours) or _wrong_receipts(
            expected[exchange["id"]], receipts.get(exchange["id"], [])
        )
        matches += found is None
        if found:
            misses.append(_miss(exchange, alone, *found))
    return Verdict(len(exchanges), replayable, matches, misses)


def is_replayable(seen):
    """True when the bare SDK sends this request and takes this answer."""
    return seen["outcome"] in ("ok", "ok_error") or seen["reason"].startswith("after send")


def visible(seen):
    return {name: seen[name] for name in SEEN}


def _differences(bare, hooked):
    names = [name for name in SEEN if bare[name] != hooked[name]]
    if not names:
        return None
    name = names[0]
    return _VISIBLE, f"{name}: {bare[name]} -> {hooked[name]}"


def _wrong_receipts(expected, receipts):
    billable = [receipt for receipt in receipts if receipt.billable]
    told = ", ".join(f"{r.operation} {r.outcome} {r.usage_source} {r.raw_usage}" for r in billable)
    if len(billable) < expected.fewest:
        return "no receipt", f"expected usage {json.dumps(expected.usage)}"
    if len(billable) > expected.most:
        return "receipt too many", told
    if expected.usage is not None and billable:
        usages = [json.loads(receipt.raw_usage or "null") for receipt in billable]
        if expected.usage not in usages:
            return "usage differs", f"expected {json.dumps(expected.usage)}, got {told}"
        if billable[0].usage_shape is None:
            return "usage has no shape", told
    return None


def _miss(exchange, seen, reason, detail):
    return Miss(
        exchange["id"],
        exchange["provider"],
        exchange["endpoint_kind"],
        exchange["stream"],
        f"{seen['sdk']} {seen['method']}".strip(),
        reason,
        detail,
    )


def table(verdict, explained=()):
    """The verdict as text: totals, then misses by reason, provider and kind."""
    lines = [
        f"exchanges {verdict.exchanges}, replayable {verdict.replayable}, "
        f"matches {verdict.matches}, misses {len(verdict.misses)}, explained {len(explained)}"
    ]
    counted = Counter((m.reason, m.provider, m.kind, m.sdk) for m in verdict.misses)
    lines += [
        f"{count:5}  {reason:30} {provider}/{kind} ({sdk})"
        for (reason, provider, kind, sdk), count in counted.most_common()
    ]
    return "\n".join(lines)


def by_exchange(receipts, expected):
    """Receipts by the exchange that left them, whose id they carry as request id.

    A retrieval is given to who submitted its object: it is found by that object's id.
    """
    retrievals = {one.object_id: name for name, one in expected.items() if one.object_id}
    found = defaultdict(list)
    for receipt in receipts:
        retrieved = '"retrieved":true' in (receipt.price_facts or "")
        by_object = retrievals.get(receipt.response_id) if retrieved else None
        found[by_object or receipt.request_id].append(receipt)
    return found
