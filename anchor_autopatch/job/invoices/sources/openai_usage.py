"""OpenAI Usage API: what the organization used, by minute, hour or day. Evidence, never money.

GET /v1/organization/usage/{completions,embeddings,...} (openai-openapi, 2026-08-21; read 2026-11):
buckets in Unix seconds UTC. input_tokens INCLUDES cached and cache-written tokens; the parts by
modality are within them, too. Usage and Costs need not agree, says OpenAI: money comes from Costs.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.pages import (
    Bucket,
    Json,
    raw_results,
    read_buckets,
    text_of,
    unix_seconds,
)
from anchor_autopatch.job.invoices.formats.usage_pages import count, rows_of, usage_reports
from anchor_autopatch.job.invoices.reading import Landed, Source, UsageReport, UsageRow

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "openai-usage"
_OBJECT = "organization.usage."

# Reports that count one thing: operation -> (field, meter).
_SINGLE = {
    "embeddings": ("input_tokens", "input"),
    "moderations": ("input_tokens", "input"),
    "images": ("images", "image"),
    "audio_speeches": ("characters", "character"),
    "audio_transcriptions": ("seconds", "seconds"),
    "code_interpreter_sessions": ("num_sessions", "code_session"),
    "file_search_calls": ("num_requests", "file_search"),
    "web_search_calls": ("num_requests", "web_search"),
}
# Bytes stored over time have no receipts to be compared with.
_NOT_COUNTED = ("vector_stores",)


def _recognises(payload: Payload) -> bool:
    return any(_operation(result) or "num_model_requests" in result for result in _results(payload))


def _results(payload: Payload) -> list[Json]:
    return raw_results(payload.json)


def _operation(result: Json) -> str | None:
    name = text_of(result.get("object")) or ""
    if not name.startswith(_OBJECT):
        return None
    return name.removeprefix(_OBJECT).removesuffix(".result")


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    buckets = read_buckets(
        payload.json,
        names=("start_time", "end_time"),
        parse_instant=unix_seconds,
        context=context,
        findings=findings,
    )
    operations = sorted({_operation(result) or "completions" for result in _results(payload)})
    if len(operations) > 1:
        findings.add(
            None, f"Reports of {', '.join(operations)!r} are mixed; import each as its own file"
        )
    # An empty report names no operation; it is told by what is pulled, or counts nothing.
    operation = operations[0] if operations else context.operation or "completions"
    days = [(bucket, _rows(bucket, operation, findings)) for bucket in buckets]
    provider = context.provider or "openai"
    head = UsageReport(_NAME, operation, provider, context.account, "", (), ())
    return Landed(usage=tuple(usage_reports(head, days, context, findings)))


SOURCE = Source(_NAME, _recognises, _read)


def _rows(bucket: Bucket, operation: str, findings: Findings) -> list[UsageRow]:
    rows: list[UsageRow] = []
    for result in bucket.results:
        try:
            meters = _meters(result, operation)
        except ValueError as error:
            findings.add(None, f"{error} (day {bucket.day}, {result.get('model')!r})")
            continue
        rows += rows_of(
            bucket,
            text_of(result.get("model")) or "",
            meters,
            project=text_of(result.get("project_id")),
            api_key=text_of(result.get("api_key_id")),
            tier="batch" if result.get("batch") is True else text_of(result.get("service_tier")),
        )
    return rows


def _meters(result: Json, operation: str) -> dict[str, Decimal | None]:
    if operation in _NOT_COUNTED:
        return {}
    if operation in _SINGLE:
        field, meter = _SINGLE[operation]
        return {meter: count(result, field)}
    if "input_tokens" not in result:
        raise ValueError(f"A result of {operation!r} has no input_tokens; save it as it is")
    cached, written = (
        count(result, "input_cached_tokens"),
        count(result, "input_cache_write_tokens"),
    )
    audio, image = count(result, "input_audio_tokens"), count(result, "input_image_tokens")
    cached_audio = count(result, "input_cached_audio_tokens") or Decimal(0)
    cached_image = count(result, "input_cached_image_tokens") or Decimal(0)
    fresh_audio, fresh_image = (audio or 0) - cached_audio, (image or 0) - cached_image
    whole = count(result, "input_tokens") or Decimal(0)
    text = whole - (cached or 0) - (written or 0) - fresh_audio - fresh_image
    out_audio, out_image = (
        count(result, "output_audio_tokens"),
        count(result, "output_image_tokens"),
    )
    out_text = (count(result, "output_tokens") or Decimal(0)) - (out_audio or 0) - (out_image or 0)
    if min(text, out_text, fresh_audio, fresh_image) < 0:
        raise ValueError(f"Parts of the {whole} input tokens exceed the whole; fetch it again")
    return {
        "input": text,
        "input_audio": Decimal(fresh_audio),
        "input_image": Decimal(fresh_image),
        "cache_read": cached and cached - cached_audio,
        "cache_read_audio": cached_audio,
        "cache_write": written,
        "output": out_text,
        "output_audio": out_audio,
        "output_image": out_image,
    }
