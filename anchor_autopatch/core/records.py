"""The two records that the host writes and the job reads: Receipt and ExceptionEvent.

Both are flat NamedTuples in the column order of the outbox tables (see `outbox_format`), so that a
record is its own row: no mapping step runs inside the application's call. All instants are integers
in microseconds since 1970-01-01 UTC, all texts are already scrubbed, all JSON is text.
"""

from __future__ import annotations

from typing import NamedTuple


class Attribution(NamedTuple):
    """Who caused a call; every field is None when nobody said."""

    team: str | None = None
    service: str | None = None
    feature: str | None = None
    environment: str | None = None
    region: str | None = None
    cost_center: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    """Of the OpenTelemetry span in which the call was made."""
    call_site: str | None = None
    labels: str | None = None
    """JSON object of free labels."""
    attribution_source: str | None = None
    """JSON object: field name -> where it came from.

    code | header | carried | rule | environment | otel | request | route | task.
    """


class Receipt(NamedTuple):
    """Evidence of one provider call that can cost money; usage verbatim, never content."""

    receipt_id: str
    occurred_at_us: int
    """Request start."""
    duration_us: int
    """From the monotonic clock, to the end of the stream where there is one."""
    team: str | None
    service: str | None
    feature: str | None
    environment: str | None
    region: str | None
    cost_center: str | None
    user_id: str | None
    request_id: str | None
    trace_id: str | None
    span_id: str | None
    call_site: str | None
    labels: str | None
    attribution_source: str | None
    provider: str
    """Who invoices, in LiteLLM's names; `unmapped` for a host that nobody explained."""
    provider_host: str | None
    """host[:port] of the base URL, without scheme, path or credentials."""
    api_key_id: str | None
    """Salted fingerprint of the key, never the key."""
    sdk: str
    """Layers from outermost to innermost: `litellm>openai`."""
    operation: str
    """chat, responses, embeddings, generate_content, image_generation, ..."""
    request_model: str | None
    response_model: str | None
    response_id: str | None
    provider_request_id: str | None
    outcome: str
    """ok | error | partial | cancelled."""
    http_status: int | None
    stream: int
    """1 for a streamed call, else 0."""
    attempts: int | None
    """HTTP requests sent for this call; None when not observed."""
    usage_source: str
    """provider | partial | estimated | absent."""
    usage_shape: str | None
    """Names the meaning of `raw_usage`, one of `USAGE_SHAPES`; None without usage."""
    raw_usage: str | None
    """The provider's usage object as JSON, names as on the wire."""
    price_facts: str | None
    """JSON object of what the price depends on beside usage: service_tier, speed, size, quality,
    images, seconds, characters, batch, ...; never content."""
    billable: int
    parent_receipt_id: str | None


class ExceptionEvent(NamedTuple):
    """One failure: of a provider, of another dependency, or of this library itself."""

    event_id: str
    occurred_at_us: int
    event_class: str
    """One of `failures.EVENT_CLASSES`, or `internal` for a fault of our own."""
    provider: str | None
    dependency: str | None
    """host[:port] of what failed."""
    http_status: int | None
    code: str | None
    exception_type: str | None
    message: str | None
    """Scrubbed, at most 512 characters."""
    sdk: str | None
    operation: str | None
    request_model: str | None
    attempts: int | None
    """Number of the HTTP request that failed, from 1 in each call; None when not observed."""
    retried: int
    """1 when the SDK sent the request again by itself; 0 when the failure was the call's end."""
    receipt_id: str | None
    """The receipt of the same call, where this very request may have been billed."""
    team: str | None
    service: str | None
    feature: str | None
    environment: str | None
    region: str | None
    cost_center: str | None
    user_id: str | None
    request_id: str | None
    trace_id: str | None
    span_id: str | None
    call_site: str | None
    labels: str | None
    attribution_source: str | None
    occurrences: int = 1
    """Failures that this row stands for: itself and, in a storm, those like it that followed."""


USAGE_SHAPES = (
    "openai.chat",
    "openai.responses",
    "openai.images",
    "openai.transcription",
    "openai.realtime",
    "anthropic.messages",
    "gemini.generate_content",
    "gemini.embeddings",
    "gemini.interactions",
    "litellm.usage",
    "xai.sampling",
    "bedrock.converse",
    "bedrock.invoke",
    "bedrock.titan",
    "bedrock.llama",
    "bedrock.guardrail",
    "bedrock.agent",
    "cohere.billed_units",
    "gemini.predictions",
    "gemini.cached_content",
    "openai.fine_tuning",
)
"""Known meanings of a raw usage object; `units` calls (an image count, characters) carry none."""
