"""Fetches a price table from a URL: asks only for what is new, and takes only what was pinned."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import requests

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.rates.source import PriceTable, parse_content
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

_TIMEOUT: Final = (5, 30)
"""Seconds to connect, and between two pieces."""
_LARGEST: Final = 64 * 1024 * 1024
"""Bytes; LiteLLM's table has 3 million."""
_PIECE: Final = 1024 * 1024
_OWN_MACHINE: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_NOT_MODIFIED: Final = 304


class _Source(NamedTuple):
    """What is known of a URL: the answer it gave last."""

    etag: str
    content_sha256: str


def fetch_table(
    con: duckdb.DuckDBPyConnection, url: str, pinned: str | None, now: datetime | None
) -> PriceTable | None:
    """The table at a URL in LiteLLM's format; None when it is the one that was fetched last.

    Args:
        con: the warehouse, which remembers the ETag of the last answer.
        url: https; http only on this machine.
        pinned: SHA-256 (hex) that the content must have; None = whatever comes is taken.
        now: the instant of the run, aware, UTC; None = to look at: it is fetched whatever was
            fetched before, and not remembered.

    Raises:
        ConfigError: no such URL, no answer, a broken pin, or content that is no price table.
    """
    _check_url(url)
    last = _last(con, url) if now else None
    headers = {"If-None-Match": last.etag} if last and last.etag else {}
    try:
        with requests.get(url, headers=headers, timeout=_TIMEOUT, stream=True) as answer:
            _check_url(answer.url)
            if answer.status_code == _NOT_MODIFIED and last:
                _check_pin(url, last.content_sha256, pinned)
                return None
            answer.raise_for_status()
            content, etag = _read(answer, url), answer.headers.get("ETag", "")
    except requests.RequestException as error:
        raise ConfigError(
            f"Cannot fetch the price table {url!r}: {error}; the rates in the warehouse stay"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    _check_pin(url, digest, pinned)
    table = parse_content(content, urlsplit(url).hostname or url, url)
    if now:
        _remember(con, url, _Source(etag, digest), now)
    return table._replace(source="url")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _OWN_MACHINE
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise ConfigError(
            f"Cannot take prices from {url!r}: whoever sits between could change them; "
            "expected https://..."
        )


def _check_pin(url: str, digest: str, pinned: str | None) -> None:
    if pinned is not None and digest != pinned.lower():
        raise ConfigError(
            f"{url!r} holds another price table than the one that was pinned: its SHA-256 is "
            f"{digest}, expected {pinned}; look at it with anchor prices diff, then pin it anew"
        )


def _read(answer: requests.Response, url: str) -> bytes:
    content = bytearray()
    for piece in answer.iter_content(_PIECE):
        content += piece
        if len(content) > _LARGEST:
            raise ConfigError(f"{url!r} has more than {_LARGEST} bytes; is it a price table?")
    return bytes(content)


def _last(con: duckdb.DuckDBPyConnection, url: str) -> _Source | None:
    row = con.execute(load("pricing/rates")["price_source"], {"url": url}).fetchone()
    return _Source(*row) if row else None


def _remember(con: duckdb.DuckDBPyConnection, url: str, source: _Source, now: datetime) -> None:
    sql = load("pricing/rates")
    with transaction(con):
        con.execute(sql["forget_price_source"], {"url": url})
        row = {"url": url, **source._asdict(), "now": now}
        con.execute(sql["note_price_source"], row)
