"""How long things are kept: [retention] of anchor.toml. What has no term there is never removed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import Mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTION = "[retention] of anchor.toml"


class Retention(NamedTuple):
    """Terms in whole days; None = kept for ever."""

    receipts_days: int | None = None
    """Row detail in the warehouse; the splits of the bills stay."""
    exception_events_days: int | None = None
    quarantine_days: int | None = None
    archive_days: int | None = None

    def archive_before(self, today: date) -> date | None:
        """Files of the archive of days before this one are past their term; None = never."""
        return _before(today, self.archive_days)

    def receipts_before(self, today: date) -> date | None:
        """The same for receipts in the warehouse."""
        return _before(today, self.receipts_days)

    def exception_events_before(self, today: date) -> date | None:
        """The same for exception events in the warehouse."""
        return _before(today, self.exception_events_days)

    def quarantine_before(self, today: date) -> date | None:
        """The same for files in quarantine, by the day they were found."""
        return _before(today, self.quarantine_days)


def _before(today: date, days: int | None) -> date | None:
    return None if days is None else today - timedelta(days=days)


def read_retention(config: Mapping[str, object]) -> Retention:
    """The terms that the policy file sets.

    Raises:
        ConfigError: the section is no table, has a key that is no term, or a value that is no
            whole number of days above 0; or the archive would go before what it is to outlive.
    """
    section = config.get("retention", {})
    if not isinstance(section, dict):
        raise ConfigError("Cannot use 'retention' in anchor.toml: expected a table [retention]")
    wrong = Mistakes()
    wrong.known(section, Retention._fields, _SECTION)
    given = [(key, section[key]) for key in Retention._fields if key in section]
    terms = wrong.each(given, lambda pair: (pair[0], _days(*pair)))
    # Only then: a term that cannot be read outlives nothing and is outlived by nothing.
    wrong.refuse()
    retention = Retention(**dict(terms))
    _expect_archive_to_outlive(retention)
    return retention


_MOST_DAYS = 36_500


def _days(key: str, days: object) -> int:
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _MOST_DAYS:
        raise ConfigError(
            f"Cannot use {days!r} for {key!r} in {_SECTION}; "
            f"expected a whole number of days, 1 to {_MOST_DAYS}"
        )
    return days


def _expect_archive_to_outlive(retention: Retention) -> None:
    # A row that is neither in the warehouse nor in the archive can never be looked into again.
    if retention.archive_days is None:
        return
    for key in ("receipts_days", "exception_events_days"):
        days = getattr(retention, key)
        if days is None or days > retention.archive_days:
            term = "no term" if days is None else f"{days}"
            raise ConfigError(
                f"Cannot use {retention.archive_days} for 'archive_days' in {_SECTION}: "
                f"{key!r} has {term}; set it to at most {retention.archive_days}, "
                "or let the archive live longer"
            )
