"""Whether the figures of a cost API have come to rest: a month is not reviewed before.

Cost APIs restate days for some time after the month ended, without saying when they are done. A
month whose total comes from one is closed only when two fetches of all its days, made after it
ended and some time apart, said the same; a total that was typed or an invoice file settles it, too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

__all__ = ("check_settled",)


class _Fetches(NamedTuple):
    invoice_id: str
    provider: str
    fetch_count: int
    """Of all days of the month, after it ended."""
    same_since: datetime | None
    """First of the last fetches that all said the same."""
    last_at: datetime | None


def check_settled(con: duckdb.DuckDBPyConnection, period: str, hours: int) -> None:
    """Passes when every control total of the period is a document, or was told alike twice.

    Args:
        con: Open warehouse.
        period: YYYY-MM.
        hours: How far apart the two fetches have to be; 0 = nothing is asked.

    Raises:
        ConfigError: the total of an invoice may still move.
    """
    if not hours:
        return
    for row in con.execute(load("close")["fetches"], {"period": period}).fetchall():
        found = _Fetches(*row)
        if found.same_since is None or found.last_at is None:
            seen = "no fetch of all its days since the month ended"
        elif found.last_at - found.same_since < timedelta(hours=hours):
            seen = (
                f"{found.fetch_count} fetches since the month ended, the same since "
                f"{found.same_since:%Y-%m-%d %H:%M}"
            )
        else:
            continue
        raise ConfigError(
            f"{found.invoice_id!r} of {period} is what a cost API says, which restates days: "
            f"{seen}; two that agree, {hours} hours apart, are needed: anchor invoices pull "
            f"{found.provider} --period {period}, or type the total of the invoice"
        )
