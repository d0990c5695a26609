"""Tools that OpenAI runs inside a response, and charges beside the tokens of its model.

Sources: Response and its output items in openai 1.109 to 3.54, the pricing page (read 2026-11):
searches of the web are charged by the search, opening a page that was found is not.
"""

from __future__ import annotations

import json
from typing import Any

from anchor_autopatch.host.providers.reading import get, text, to_json

_FACTS = {
    "web_search_call": "searches",
    "file_search_call": "file_searches",
    "code_interpreter_call": "code_interpreter_calls",
}


def read(response: Any) -> dict[str, object]:
    """What a response tells of its tools, as price facts; {} for one that used none."""
    found: dict[str, object] = {}
    told = get(response, "tool_usage")
    usage = to_json(told)
    if usage is not None:
        found["tool_usage"] = json.loads(usage)
    counts: dict[str, int] = {}
    for item in get(response, "output") or ():
        fact = _FACTS.get(get(item, "type"))
        if fact is not None and text(get(item, "action"), "type") in (None, "search"):
            counts[fact] = counts.get(fact, 0) + 1
    if get(told, "web_search") is not None:
        # Its own count holds: one item may stand for several searches.
        counts.pop("searches", None)
    return found | counts
