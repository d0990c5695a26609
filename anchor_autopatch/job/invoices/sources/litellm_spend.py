"""LiteLLM proxy spend logs: calls that went through a gateway, as receipts, never as an anchor.

LiteLLM_SpendLogs (proxy/schema.prisma) as CSV, Parquet, or JSON of GET /spend/logs, read 2026-11:
one row a request, times in UTC. `spend` is LiteLLM's own estimate at list price, a float; nothing
was billed by it, so it lands nowhere but as a label to compare with. Rows that cost nothing at a
provider, such as cache hits and failures, leave no receipt.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from anchor_autopatch.core.hosts import KNOWN_PROVIDERS, UNMAPPED, provider_of_model
from anchor_autopatch.core.records import Receipt
from anchor_autopatch.job.invoices.formats.exports import instant_of
from anchor_autopatch.job.invoices.formats.pages import Number
from anchor_autopatch.job.invoices.formats.tables import Row, require_columns
from anchor_autopatch.job.invoices.reading import Landed, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "litellm-spend"
_REQUIRED = ("request_id", "call_type", "spend", "starttime", "endtime", "model")
_OPERATIONS = {
    "completion": "chat",
    "text_completion": "completions",
    "embedding": "embeddings",
    "image_generation": "image_generation",
    "transcription": "transcription",
    "speech": "speech",
    "responses": "responses",
    "anthropic_messages": "messages",
    "rerank": "rerank",
    "moderation": "moderation",
}
# Tags `key:value` with these keys say who a call is for; others are labels.
_FIELDS = ("team", "service", "feature", "environment", "region", "cost_center")


def _recognises(payload: Payload) -> bool:
    names = payload.table.header if payload.table is not None else _first_keys(payload.json)
    return {"spend", "call_type", "request_id"} <= set(names)


def _first_keys(value: object) -> tuple[str, ...]:
    first = value[0] if isinstance(value, list) and value else None
    return tuple(map(str, first)) if isinstance(first, dict) else ()


def _read(payload: Payload, _context: Context, findings: Findings) -> Landed:
    if payload.table is not None:
        if not require_columns(payload.table, _REQUIRED, findings):
            return Landed()
        rows: Iterable[Row] = payload.table.rows
    else:
        rows = _json_rows(payload.json)
    receipts: dict[str, Receipt] = {}
    free = 0
    for row in rows:
        try:
            if not _was_paid(row):
                free += 1
                continue
            receipt = _receipt(row)
        except ValueError as error:
            findings.add(row.number, str(error))
            continue
        if receipts.setdefault(receipt.receipt_id, receipt) != receipt:
            findings.add(
                row.number,
                f"request_id {row.get('request_id')!r} occurs with two contents; export it again",
            )
    if not receipts and not free and not findings:
        findings.add(None, "The file holds no request; export the spend logs again")
    notes = (f"left out: {free} rows that no provider was paid for",) if free else ()
    return Landed(receipts=tuple(receipts.values()), notes=notes)


SOURCE = Source(_NAME, _recognises, _read)


def _json_rows(value: object) -> Iterable[Row]:
    rows = value if isinstance(value, list) else []
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield Row(number, {str(name).lower(): _text(found) for name, found in row.items()})


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, str) else json.dumps(_counts(value))


def _counts(value: object) -> object:
    """A JSON value with its whole numbers as such: they are kept as text while money is read."""
    if isinstance(value, dict):
        return {name: _counts(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_counts(held) for held in value]
    return int(value) if isinstance(value, Number) and value.isdigit() else value


def _was_paid(row: Row) -> bool:
    if row.get("cache_hit").lower() == "true":
        return False
    return row.get("status").lower() in {"", "success"}


def _receipt(row: Row) -> Receipt:
    request_id = row.get("request_id")
    if not request_id:
        raise ValueError("request_id is empty; export the spend logs with it")
    started, ended = instant_of(row.get("starttime")), instant_of(row.get("endtime"))
    if ended < started:
        raise ValueError(f"endTime {ended} is before startTime {started}; export it again")
    owner, labels = _owner(row)
    usage = _usage(row)
    told: dict[str, object] = {
        # The same row makes the same receipt in whatever file it comes.
        "receipt_id": str(uuid5(NAMESPACE_URL, f"litellm-spend:{request_id}")),
        "occurred_at_us": _micros(started),
        "duration_us": _micros(ended) - _micros(started),
        "labels": json.dumps(labels, sort_keys=True),
        "attribution_source": json.dumps(dict.fromkeys(sorted(owner), "gateway")),
        "provider": _provider(row),
        "provider_host": urlsplit(row.get("api_base")).netloc or None,
        "sdk": "litellm-proxy",
        "operation": _operation(row.get("call_type")),
        "request_model": row.get("model_group", "model") or None,
        "response_model": row.get("model") or None,
        "response_id": request_id,
        "outcome": "ok",
        "stream": 0,
        "usage_source": "provider" if usage else "absent",
        "usage_shape": "litellm.usage" if usage else None,
        "raw_usage": usage,
        "billable": 1,
    }
    plain = dict.fromkeys(Receipt._fields)
    return Receipt(**(plain | owner | told))  # type: ignore[arg-type] # told by the names above


def _operation(call_type: str) -> str:
    # An asynchronous call is `acompletion` and the like.
    return _OPERATIONS.get(call_type) or _OPERATIONS.get(call_type[1:], call_type)


def _micros(instant: datetime) -> int:
    delta = instant.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _provider(row: Row) -> str:
    named = row.get("custom_llm_provider").lower()
    if named in KNOWN_PROVIDERS:
        return named
    return provider_of_model(row.get("model")) or UNMAPPED


def _owner(row: Row) -> tuple[dict[str, str], dict[str, str]]:
    """Attribution fields, and labels for what is none; the key is the gateway's own, a hash."""
    owner: dict[str, str] = {}
    labels = {"litellm_spend_usd": row.get("spend")}
    for name, column in (("team", "team_id"), ("user_id", "end_user"), ("user_id", "user")):
        if row.get(column):
            owner.setdefault(name, row.get(column))
    for name, column in (("litellm_key", "api_key"), ("litellm_organization", "organization_id")):
        if row.get(column):
            labels[name] = row.get(column)
    for tag in _tags(row.get("request_tags")):
        key, found, value = tag.partition(":")
        if found and key in _FIELDS:
            owner[key] = value
        else:
            labels[key] = value if found else "true"
    return owner, labels


def _tags(text: str) -> list[str]:
    try:
        tags = json.loads(text) if text else []
    except json.JSONDecodeError:
        return []
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _usage(row: Row) -> str | None:
    """The provider's usage object as far as LiteLLM kept it, with the counts of the row."""
    try:
        metadata = json.loads(row.get("metadata") or "{}")
    except json.JSONDecodeError:
        metadata = {}
    kept = metadata.get("usage_object") if isinstance(metadata, dict) else None
    usage = dict(kept) if isinstance(kept, dict) else {}
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        text = row.get(name)
        if text and not text.isdigit():
            raise ValueError(f"{name} is {text!r}, no count; export the spend logs again")
        if text and name not in usage:
            usage[name] = int(text)
    counted = any(usage.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return json.dumps(usage, sort_keys=True) if kept or counted else None
