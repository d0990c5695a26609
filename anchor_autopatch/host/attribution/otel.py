"""The current OpenTelemetry span, where the application has imported OpenTelemetry itself."""

from __future__ import annotations

import sys
from typing import NamedTuple

from anchor_autopatch.host.patching import guarded

API = "opentelemetry.trace"


class Span(NamedTuple):
    """Ids as W3C Trace Context writes them: 32 and 16 lower-case hex digits."""

    trace_id: str
    span_id: str


@guarded("opentelemetry")
def current_span() -> Span | None:
    """The ids of the span that is open here; None without OpenTelemetry or without a span."""
    api = sys.modules.get(API)
    if api is None:
        return None
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return Span(f"{context.trace_id:032x}", f"{context.span_id:016x}")
