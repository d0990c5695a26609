"""Puts attribution and usage of a call on the OpenTelemetry span that is open, where asked for.

`[opentelemetry] span_attributes` of anchor.toml asks. A span may hold several calls (that of a web
request): then counts are summed, and the names are those of the last call.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from anchor_autopatch.host.attribution import otel
from anchor_autopatch.host.patching import guarded

if TYPE_CHECKING:
    from anchor_autopatch.host.capture.calls import Call, Seen

# OpenTelemetry semantic conventions for generative AI (gen_ai_attributes of 1.37, read 2026-11).
_INPUT, _OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
_CALLS = "anchor.calls"
_FIELDS = ("team", "service", "feature", "environment", "cost_center")
# What a provider counts apart from the plain names, but the conventions count in.
_COUNTED = {
    _INPUT: (
        ("prompt_tokens", "input_tokens", "promptTokenCount"),
        ("cache_read_input_tokens", "cache_creation_input_tokens"),
    ),
    _OUTPUT: (
        ("completion_tokens", "output_tokens", "candidatesTokenCount"),
        ("thoughtsTokenCount",),
    ),
}


@guarded("opentelemetry")
def note(call: Call, seen: Seen, receipt_id: str) -> None:
    """Notes a finished call on the span that it was made in, as long as that is open here."""
    here = otel.current_span()
    if here is None or here.span_id != call.attribution.span_id:
        return
    span = sys.modules[otel.API].get_current_span()
    if not span.is_recording():
        return
    before = dict(getattr(span, "attributes", None) or {})
    span.set_attributes({**_names(call, seen, receipt_id), **_counts(seen, before)})


def _names(call: Call, seen: Seen, receipt_id: str) -> dict[str, Any]:
    who = call.attribution
    names = {f"anchor.{field}": getattr(who, field) for field in _FIELDS}
    names |= {
        "anchor.receipt_id": receipt_id,
        "gen_ai.operation.name": call.operation,
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.request_model,
        "gen_ai.response.model": seen.model,
        "gen_ai.response.id": seen.response_id,
    }
    return {name: value for name, value in names.items() if value is not None}


def _counts(seen: Seen, before: dict[str, Any]) -> dict[str, int]:
    usage = json.loads(seen.raw_usage) if seen.raw_usage else {}
    calls = before.get(_CALLS, 0)
    # Without calls of ours before, a count that stands there is another one's of this very call.
    earlier = before if calls else {}
    found = {_CALLS: calls + 1}
    for name, (plain, apart) in _COUNTED.items():
        count = next((usage[key] for key in plain if isinstance(usage.get(key), int)), None)
        if count is not None:
            apart_count = sum(usage[key] for key in apart if isinstance(usage.get(key), int))
            found[name] = earlier.get(name, 0) + count + apart_count
    return found
