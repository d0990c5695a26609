"""Pulls one account: every page of every report, then all of it booked at once or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from anchor_autopatch.core.errors import InvoiceError, StoreError
from anchor_autopatch.job.invoices.documents import Document
from anchor_autopatch.job.invoices.findings import RefusedInvoiceError
from anchor_autopatch.job.invoices.formats.pages import parse_json, text_of
from anchor_autopatch.job.invoices.importing import book_files, read_content
from anchor_autopatch.job.invoices.pull.asks import Ask, asks_of
from anchor_autopatch.job.invoices.pull.client import Client, Patience
from anchor_autopatch.job.invoices.pull.spool import Spool
from anchor_autopatch.job.invoices.values import Context, naive_utc, next_month, parse_period
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from anchor_autopatch.job.invoices.importing import Entry
    from anchor_autopatch.job.invoices.pull.targets import Target

__all__ = ("Pulled", "pull", "window_of")

_Opened: TypeAlias = "Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]"

_DAY = timedelta(days=1)
_MOST_PAGES = 10_000
_KEPT_DAYS = {"openrouter": timedelta(days=30)}
"""How far back a provider answers, where that is less than two months."""


class Pulled(NamedTuple):
    """What became of one account."""

    provider: str
    account: str
    booked: tuple[Entry, ...]
    problem: str | None
    """Why nothing of it was booked; None = it was."""


def window_of(
    con: duckdb.DuckDBPyConnection, now: datetime, period: str | None = None
) -> tuple[datetime, datetime]:
    """Half-open UTC days to pull: those of a month, else last month and this one up to yesterday.

    Today is left out, for it has not ended; months that are closed take no costs any more.

    Raises:
        InvoiceError: the month is closed, or none of its days has ended.
    """
    today = naive_utc(now).replace(hour=0, minute=0, second=0, microsecond=0)
    frozen = {name for (name,) in con.execute(load("invoices")["frozen_periods"]).fetchall()}
    this_month = today.replace(day=1)
    months = [(this_month - _DAY).replace(day=1), this_month]
    if period is not None:
        try:
            months = [parse_period(period, today)]
        except ValueError as error:
            raise InvoiceError(str(error)) from error
    opened = [month for month in months if f"{month:%Y-%m}" not in frozen]
    if not opened:
        raise InvoiceError(f"Period {months[-1]:%Y-%m} is closed; book what came late afterwards")
    start, end = opened[0], min(today, next_month(opened[-1]))
    if start >= end:
        raise InvoiceError(f"No day of {start:%Y-%m} has ended yet; name another --period")
    return start, end


def pull(  # noqa: PLR0913 # what it works on, and how patiently
    opened: _Opened,
    home: Path,
    targets: Sequence[Target],
    window: tuple[datetime, datetime],
    now: datetime,
    *,
    patience: Patience = Patience(),  # noqa: B008 # immutable
    advance: Callable[[], object] = lambda: None,
) -> list[Pulled]:
    """Pulls every account; one that fails is told and does not keep the others back.

    Args:
        opened: Opens the warehouse; held for each booking only, not while pages are fetched.
        home: Pages are kept under it until they are booked.
        targets: Accounts to ask.
        window: Half-open UTC days, see `window_of`.
        now: Aware.
        patience: How long providers are waited for.
        advance: Called after each page, for a progress bar.
    """
    run = _Run(opened, home, now, patience, advance)
    results = []
    for target in targets:
        try:
            booked = _pull_account(run, target, window)
            results.append(Pulled(target.provider, target.account, tuple(booked), None))
        except (InvoiceError, StoreError) as error:
            results.append(Pulled(target.provider, target.account, (), str(error)))
    return results


class _Run(NamedTuple):
    """What all accounts of a run share."""

    opened: _Opened
    home: Path
    now: datetime
    patience: Patience
    advance: Callable[[], object]


def _pull_account(run: _Run, target: Target, window: tuple[datetime, datetime]) -> list[Entry]:
    instant = naive_utc(run.now)
    span = _reachable(target, window, instant)
    asks = asks_of(target.provider, target.team, span)
    spools = [Spool.of(run.home / "pull", target, ask, run.now) for ask in asks]
    pages: dict[str, list[bytes]] = {}
    with Client(target, run.patience) as client:
        for ask, spool in zip(asks, spools, strict=True):
            pages.setdefault(ask.name, []).extend(_fetched(client, ask, spool, run.advance))
    context = Context(instant, target.provider, target.account)
    files = []
    # Asks of one name, such as OpenRouter's days, are answered in one document.
    for ask in {ask.name: ask for ask in asks}.values():
        asked = context._replace(window=span if ask.has_days else None, operation=ask.operation)
        document = _document(target, ask, pages[ask.name], run.now)
        files.append(read_content(document, ask.source, asked))
    try:
        with run.opened() as con:
            # What was fetched just now outranks every older file.
            booked = book_files(con, files, instant, replace=True)
    except RefusedInvoiceError:
        # For what the pages say: the next run asks anew. A busy warehouse leaves them as they are.
        _clear(spools)
        raise
    _clear(spools)
    return booked


def _clear(spools: Sequence[Spool]) -> None:
    for spool in spools:
        spool.clear()


def _reachable(
    target: Target, window: tuple[datetime, datetime], now: datetime
) -> tuple[datetime, datetime]:
    kept = _KEPT_DAYS.get(target.provider)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = max(window[0], today - kept) if kept else window[0]
    if start >= window[1]:
        raise InvoiceError(
            f"{target.provider} answers for the last {kept.days if kept else 0} days only, "
            f"not for {window[0]:%Y-%m}; import what was saved then"
        )
    return start, window[1]


def _fetched(client: Client, ask: Ask, spool: Spool, advance: Callable[[], object]) -> list[bytes]:
    pages = spool.pages()
    cursor = _next_cursor(ask, pages[-1]) if pages else None
    seen = {cursor}
    while not pages or cursor is not None:
        if len(pages) >= _MOST_PAGES:
            raise InvoiceError(f"More than {_MOST_PAGES} pages of {ask.path}; ask for fewer days")
        page = client.fetch(ask, cursor)
        following = _next_cursor(ask, page)
        if following in seen and following is not None:
            raise InvoiceError(
                f"{ask.path} leads to page {following!r} twice; the pages do not end, report it"
            )
        # Kept only now that it is known to be whole.
        spool.add(page)
        pages.append(page)
        seen.add(following)
        cursor = following
        advance()
    return pages


def _next_cursor(ask: Ask, page: bytes) -> str | None:
    try:
        value = parse_json(page.decode())
    except ValueError as error:
        raise InvoiceError(
            f"The answer to {ask.path} is cut off or no JSON; run it again: it goes on there"
        ) from error
    if not ask.paged or not isinstance(value, dict) or value.get("has_more") is not True:
        return None
    cursor = text_of(value.get("next_page"))
    if cursor is None:
        raise InvoiceError(f"{ask.path} has more pages and names none; run it again later")
    return cursor


def _document(target: Target, ask: Ask, pages: list[bytes], now: datetime) -> Document:
    """The pages byte by byte as they were sent, in a form that `anchor invoices import` takes."""
    if ask.body is not None:
        payload = b'{"request": %b, "response": %b}' % (ask.body.encode(), pages[0])
    else:
        payload = b"[" + b",\n".join(pages) + b"]" if ask.has_days else pages[0]
    parts = (target.provider, target.account, ask.name, f"{now:%Y%m%dT%H%M%SZ}")
    name = "-".join(filter(None, parts)).replace("/", "_") + ".json"
    # Named after the ask, not after a file: there is none.
    return Document(f"{target.provider} {ask.name}", name, payload)
