"""Cost API payloads: JSON pages of daily buckets, and the proof that no page or day is missing."""

from __future__ import annotations

import json
from datetime import MAXYEAR, UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias, TypeVar

from anchor_autopatch.job.invoices.currencies import minor_units
from anchor_autopatch.job.invoices.landing import Authority, Invoice, InvoiceLine, make_invoice
from anchor_autopatch.job.invoices.values import naive_utc, next_month, parse_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.values import Context

__all__ = (
    "Bucket",
    "Json",
    "Number",
    "by_month",
    "invoices_of_days",
    "parse_json",
    "raw_buckets",
    "raw_results",
    "read_buckets",
    "rfc3339",
    "text_of",
    "unix_seconds",
)

Json: TypeAlias = dict[str, object]
_Row = TypeVar("_Row")


class Number(str):
    """A JSON number as its text: the evidence keeps 12.345670000000001, no float ever exists."""

    __slots__ = ()


class Bucket(NamedTuple):
    """What the API says about one day."""

    start: datetime
    """UTC, inclusive."""
    end: datetime
    """UTC, exclusive."""
    results: list[Json]

    @property
    def day(self) -> str:
        """The day in messages."""
        return f"{self.start:%Y-%m-%d}"


def parse_json(text: str) -> object:
    """The value of a JSON text, numbers as `Number`.

    Raises:
        json.JSONDecodeError: not JSON; NaN and Infinity are not either.
    """

    def refuse_constant(name: str) -> NoReturn:
        raise json.JSONDecodeError(f"{name} is not a JSON number", text, text.find(name))

    return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=refuse_constant)


def raw_buckets(payload: object) -> list[Json]:
    """The buckets of what may be pages of a cost API, unread; none where it is something else."""
    pages = payload if isinstance(payload, list) else [payload]
    return [
        bucket
        for page in pages
        if isinstance(page, dict) and isinstance(page.get("data"), list)
        for bucket in page["data"]
        if isinstance(bucket, dict)
    ]


def raw_results(payload: object) -> list[Json]:
    """The results within those buckets, unread."""
    return [
        result
        for bucket in raw_buckets(payload)
        if isinstance(results := bucket.get("results"), list)
        for result in results
        if isinstance(result, dict)
    ]


def unix_seconds(value: object) -> datetime:
    """Naive UTC of a JSON number in Unix seconds.

    Raises:
        ValueError: something else, or beyond all years.
    """
    if not isinstance(value, Number) or not value.isdigit():
        raise ValueError(
            f"Bucket time {value!r} is not in Unix seconds; save the response as it is"
        )
    try:
        return datetime.fromtimestamp(int(value), UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"Bucket time {value!r} is beyond all years; check it") from error


def rfc3339(value: object) -> datetime:
    """Naive UTC of a text in RFC 3339.

    Raises:
        ValueError: something else, or no time zone.
    """
    text = value if isinstance(value, str) else ""
    try:
        # Beyond the first and the last year no other zone fits.
        instant = datetime.fromisoformat(text)
        utc = naive_utc(instant)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"Bucket time {value!r} is not in RFC 3339; save the response as it is"
        ) from error
    if instant.tzinfo is None:
        raise ValueError(f"Bucket time {text!r} has no time zone; save the response as it is")
    return utc


def read_buckets(
    payload: object,
    *,
    names: tuple[str, str],
    parse_instant: Callable[[object], datetime],
    context: Context,
    findings: Findings,
) -> list[Bucket]:
    """The buckets of a page or of a list of pages, in order of time and without a gap.

    Args:
        payload: Parsed JSON.
        names: Keys of a bucket's start and end.
        parse_instant: Reads their values as naive UTC; raises ValueError.
        context: Its window, if any, must be covered from end to end.
        findings: Takes what is wrong.
    """
    pages = payload if isinstance(payload, list) else [payload]
    buckets = []
    for page in pages:
        data = page.get("data") if isinstance(page, dict) else None
        if not isinstance(data, list):
            findings.add(
                None, "A page has no list 'data'; save the response of the cost API as it is"
            )
            return []
        for item in data:
            bucket = _read_bucket(item, names, parse_instant, findings)
            if bucket is not None:
                buckets.append(bucket)
    last = pages[-1] if pages else {}
    if isinstance(last, dict) and last.get("has_more"):
        findings.add(
            None,
            f"has_more is true: pages are missing after {text_of(last.get('next_page'))!r}; "
            "fetch them and import all pages as one JSON list",
        )
    if not buckets and not findings:
        findings.add(None, "The payload holds no day; ask the cost API for the days of the month")
    buckets.sort(key=lambda bucket: bucket.start)
    _check_contiguous(buckets, findings)
    if context.window and buckets:
        _check_window(buckets, context.window, findings)
    return buckets


def _read_bucket(
    item: object,
    names: tuple[str, str],
    parse_instant: Callable[[object], datetime],
    findings: Findings,
) -> Bucket | None:
    results = item.get("results") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(results, list):
        findings.add(None, "A bucket has no list 'results'; save the response as it is")
        return None
    try:
        start, end = (parse_instant(item.get(name)) for name in names)
    except ValueError as error:
        findings.add(None, str(error))
        return None
    month = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if start.year == MAXYEAR or not start < end <= next_month(month):
        findings.add(None, f"Bucket {start} to {end} is not within a month; fetch daily buckets")
        return None
    if not all(isinstance(result, dict) for result in results):
        findings.add(None, f"Bucket {start} holds a result that is no object; save it as it is")
        return None
    return Bucket(start, end, results)


def _check_contiguous(buckets: list[Bucket], findings: Findings) -> None:
    for before, after in pairwise(buckets):
        if after.start > before.end:
            findings.add(
                None,
                f"No bucket from {before.end} to {after.start}; a page is missing, fetch all pages",
            )
        elif after.start < before.end:
            findings.add(
                None, f"Two buckets cover {after.start}; import each page of one request once"
            )


def _check_window(
    buckets: list[Bucket], window: tuple[datetime, datetime], findings: Findings
) -> None:
    # Pages may be missing at either end, too, where no gap shows it.
    start, end = buckets[0].start, buckets[-1].end
    if (start, end) != window:
        findings.add(
            None,
            f"Buckets cover {start} to {end}, asked for was {window[0]} to {window[1]}; "
            "fetch all pages of exactly these days",
        )


def invoices_of_days(
    source: str,
    provider: str,
    days: Iterable[tuple[Bucket, list[InvoiceLine]]],
    context: Context,
    findings: Findings,
) -> list[Invoice]:
    """One invoice for each month that the days touch; later payloads restate it day by day."""
    named = findings.read(None, lambda text: parse_provider(text, context), provider)
    months = by_month(days, context, findings)
    if named is None:
        return []
    return [_month(source, named, period, found, context, findings) for period, found in months]


def by_month(
    buckets: Iterable[tuple[Bucket, list[_Row]]], context: Context, findings: Findings
) -> list[tuple[str, list[tuple[Bucket, list[_Row]]]]]:
    """(YYYY-MM, its buckets with their rows), in order; a bucket of the future is a finding."""
    months: dict[str, list[tuple[Bucket, list[_Row]]]] = {}
    for bucket, rows in buckets:
        if bucket.start > context.now:
            findings.add(
                None, f"Bucket {bucket.day} has not begun; check the clock and the request"
            )
        months.setdefault(f"{bucket.start:%Y-%m}", []).append((bucket, rows))
    return sorted(months.items())


def _month(
    source: str,
    provider: str,
    period: str,
    days: list[tuple[Bucket, list[InvoiceLine]]],
    context: Context,
    findings: Findings,
) -> Invoice:
    lines = [line for _, found in days for line in found]
    currencies = sorted({line.currency for line in lines}) or ["USD"]
    if len(currencies) > 1:
        findings.add(
            None,
            f"Currencies {', '.join(currencies)!r} are mixed in {period}; name an account for each",
        )
    head = Invoice(
        invoice_id=":".join(filter(None, (source, provider, context.account, period))),
        source=source,
        authority=Authority.COST_API,
        provider=provider,
        account=context.account,
        period=period,
        currency=currencies[0],
        minor_units=minor_units(currencies[0]) or 0,
        lines=(),
        days=tuple((bucket.start, bucket.end) for bucket, _ in days),
    )
    return make_invoice(head, lines)


def text_of(value: object) -> str | None:
    """A JSON text or number as text; None for anything else, and for an empty text."""
    return str(value) or None if isinstance(value, str) else None
