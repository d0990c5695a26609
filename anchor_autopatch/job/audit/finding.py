"""Finds the receipts that an id or a line of a gateway's log is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.audit.evidence import Evidence
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KINDS = {
    1: "receipt id",
    2: "the provider's id",
    3: "trace id",
    4: "request id",
}
_TEXT_LIMIT = 65_536
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{2,127}")
_TRACE_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class Found(NamedTuple):
    """Receipts that a text is about."""

    kind: str | None
    """What named them: one of KINDS; None = nothing did."""
    receipts: tuple[Evidence, ...]


def find_receipts(con: DuckDBPyConnection, text: str) -> Found:
    """The receipts that a text names, by the surest kind of id in it.

    Args:
        con: The opened report.
        text: An id, or a whole line of a log, JSON or plain; 64 KB of it are read.
    """
    sql = load("audit")
    matches = con.execute(sql["matches"], {"tokens": tokens(text)}).fetchall()
    if not matches:
        return Found(None, ())
    # A gateway logs many words: what names a receipt outright outranks what an id may share.
    surest = min(kind for _, kind in matches)
    ids = [receipt_id for receipt_id, kind in matches if kind == surest]
    rows = con.execute(sql["evidence"], {"receipt_ids": ids}).fetchall()
    return Found(KINDS[surest], tuple(Evidence(*row) for row in rows))


def tokens(text: str) -> list[str]:
    """Everything in a text that could be an id."""
    # What a terminal hands over may be no Unicode, which the database would refuse.
    text = text.strip()[:_TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")
    words = [word.rstrip(".,:/-") for word in _TOKEN.findall(text)]
    # A traceparent holds the trace id in its middle; some logs write id:value without a space.
    parts = [part for word in words for part in re.split(r"[:/]", word) if part != word]
    return list(dict.fromkeys([text, *words, *parts, *_TRACE_ID.findall(text)]))
