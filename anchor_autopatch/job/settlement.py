"""Settles objects that a provider works on after the request, so that each bills once.

A background response, batch, run, video or interaction may be submitted by one process and read by
several others, none of which knows of the rest. Their receipts stay as they are: what is derived
from them here is which one bills the object, and who submitted it. It is derived anew in each run,
because the outbox of the submitter may arrive after that of a reader; frozen periods keep theirs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

OVERDUE_HOURS: Final = 48
"""OpenAI, Anthropic and Gemini end a batch within 24 hours; its reader has as long again."""


class SettleReport(NamedTuple):
    """What one run found among retrievals, which are few beside all receipts."""

    retrieval_count: int
    """Looked at: all those of open periods."""
    billed_count: int
    """That bill their object; the others repeat what another receipt bills."""
    changed_count: int
    """Settlements written, new or different from before."""


def settle(con: duckdb.DuckDBPyConnection, now: datetime) -> SettleReport:
    """Finds which retrieval bills its object; running twice changes nothing.

    Args:
        con: The warehouse, to be measured and priced afterwards.
        now: Stored with the settlements that changed; aware, UTC.
    """
    sql = load("settlement")
    steps = ("collect_frozen", "collect_retrievals", "collect_billed", "collect_submissions")
    with transaction(con):
        for name in (*steps, "settle", "collect_changed", "forget_changed"):
            con.execute(sql[name])
        con.execute(sql["keep_changed"], {"now": now})
        # Of changed settlements alone; the steps that follow measure and price them anew.
        con.execute(sql["forget_meters"])
        con.execute(sql["forget_prices"])
        row = con.execute(sql["report"]).fetchone() or (0, 0, 0)
        con.execute(sql["drop_work"])
    return SettleReport(*row)


def find_overdue(con: duckdb.DuckDBPyConnection, now: datetime, after: timedelta) -> Iterator[str]:
    """One line per kind of submission that waits longer than `after`, open periods only."""
    # The warehouse keeps instants in UTC and without a zone.
    parameters = {"overdue_before": (now - after).astimezone(UTC).replace(tzinfo=None)}
    rows = con.execute(load("settlement")["overdue"], parameters).fetchall()
    for provider, operation, count, first_at in rows:
        hours = after // timedelta(hours=1)
        yield (
            f"{count} of {provider} {operation!r} submitted, the first on {first_at:%Y-%m-%d}, and "
            f"no receipt tells the end within {hours} hours: what they cost is in no estimate; "
            "read them once with the hook on, see unsettled_submissions"
        )


def overdue_after(config: Mapping[str, object]) -> timedelta:
    """How long a submission may wait for its end: `overdue_hours` under [settlement].

    Raises:
        ConfigError: the section is no table, or its value no whole number of hours above 0.
    """
    section = config.get("settlement", {})
    if not isinstance(section, dict):
        raise ConfigError("Cannot use 'settlement' in anchor.toml: expected a table [settlement]")
    hours = section.get("overdue_hours", OVERDUE_HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int) or hours < 1:
        raise ConfigError(
            f"Cannot use {hours!r} for 'overdue_hours' in [settlement] of anchor.toml; "
            "expected a whole number of hours, 1 or more"
        )
    return timedelta(hours=hours)
