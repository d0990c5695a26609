"""Dates changes of the list by genai-prices: since when a price held that the list showed later.

Only a change that both lists tell alike is dated: the price before it and the price after it must
be the same, and the new one must still have held on the day on which the list first showed it. A
price that the list never had is told, and prices nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.mistakes import Mistakes
from anchor_autopatch.job.rates.opinion import PIP_LINE, SOURCE, is_installed, read_opinion, step_at
from anchor_autopatch.job.rates.store import refresh_segments
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    import duckdb

    from anchor_autopatch.job.rates.opinion import KnownModel, SecondOpinion, Steps

__all__ = (
    "DatedChange",
    "StartsReport",
    "UnusedStart",
    "dates_of",
    "find_not_asked",
    "read_starts_from",
    "take_starts",
    "take_starts_if_asked",
    "used_models",
)

_MOMENT: Final = timedelta(microseconds=1)
_MILLION: Final = 1_000_000
_SECTION: Final = "[prices] of anchor.toml"
_METERS: Final = ("input_tokens", "output_tokens")


class Change(NamedTuple):
    """A change of a list model's rates as it was seen; the first one has no `before`."""

    observed_at: datetime
    """UTC, without a zone, as the warehouse holds it."""
    rate_sheet_id: UUID
    before: Mapping[str, Steps] | None
    after: Mapping[str, Steps]


class DatedChange(NamedTuple):
    """A change that began earlier than the list showed it."""

    model_key: str
    starts_at: datetime
    """UTC, without a zone."""
    rate_sheet_id: UUID
    seen_at: datetime
    model_id: str
    """As genai-prices names it."""


class UnusedStart(NamedTuple):
    """A start date that fits no change of the list, so that it prices nothing."""

    model_key: str
    starts_on: date
    model_id: str
    reason: str


class StartsReport(NamedTuple):
    """What genai-prices says of start dates, and what of it is new."""

    source_version: str
    starts: tuple[DatedChange, ...]
    """All that count now, by model."""
    new_count: int
    ended_count: int
    """Dates that counted before this run and do no longer."""
    unused: tuple[UnusedStart, ...]


def read_starts_from(config: Mapping[str, object]) -> bool:
    """Whether the policy file asks for start dates of genai-prices: `[prices] starts_from`.

    Raises:
        ConfigError: the section is no table, has another key, or names another source.
    """
    section = config.get("prices", {})
    if not isinstance(section, dict):
        raise ConfigError("Cannot use 'prices' in anchor.toml: expected a table [prices]")
    wrong = Mistakes()
    wrong.known(section, ("starts_from",), _SECTION)
    source = section.get("starts_from")
    if source not in (None, SOURCE):
        wrong.add(f"Cannot use {source!r} for 'starts_from' in {_SECTION}; expected {SOURCE!r}")
    wrong.refuse()
    return source is not None


def take_starts_if_asked(
    con: duckdb.DuckDBPyConnection, now: datetime, *, asked: bool
) -> StartsReport | None:
    """As `take_starts`; None where the policy file does not ask, or genai-prices is not there.

    A job that runs every hour must not stop for lack of evidence: the dates that it has stay.
    """
    return take_starts(con, now) if asked and is_installed() else None


def take_starts(con: duckdb.DuckDBPyConnection, now: datetime) -> StartsReport:
    """Dates every change that genai-prices knows to have begun before the list showed it.

    In one transaction; what was taken from it before and fits no longer is ended. Open months are
    priced anew by the next run, frozen ones get proposals. A date that a person typed outranks it.

    Raises:
        ConfigError: genai-prices is not installed.
    """
    opinion = read_opinion()
    found = list(dates_of(_changes(con), opinion, now.astimezone(UTC).replace(tzinfo=None)))
    starts = tuple(each for each in found if isinstance(each, DatedChange))
    sql = load("pricing/rates")
    rows = con.execute(sql["starts_of_source"], {"source": SOURCE}).fetchall()
    held, wanted = set(rows), {each[:3] for each in starts}
    if held != wanted:
        with transaction(con):
            for ended in sorted(held - wanted):
                con.execute(sql["end_start_of_source"], _named(ended, now))
            for start in starts:
                if start[:3] not in held:
                    _note(con, start, opinion.version, now)
            refresh_segments(con, now)
    unused = tuple(each for each in found if isinstance(each, UnusedStart))
    return StartsReport(opinion.version, starts, len(wanted - held), len(held - wanted), unused)


def find_not_asked(report: StartsReport | None, *, asked: bool) -> Iterator[str]:
    """One line where start dates are asked for and nobody was there to say them."""
    if asked and report is None:
        yield (
            f"{_SECTION} asks {SOURCE} for start dates, which this environment has not: what it "
            f"said before goes on to count, nothing new is learnt; {PIP_LINE}"
        )


def used_models(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Keys of the list that some receipt in the warehouse was priced by."""
    return {key for (key,) in con.execute(load("pricing/rates")["used_models"]).fetchall()}


def dates_of(
    changes: Iterable[tuple[str, str, Sequence[Change]]], opinion: SecondOpinion, now: datetime
) -> Iterator[DatedChange | UnusedStart]:
    """What each start date until `now` (UTC, without a zone) says of the list; pure.

    Args:
        changes: model key, provider as the list names it, changes oldest first.
        opinion: the other list.
        now: later dates are not looked at.
    """
    for model_key, provider, seen in changes:
        model = opinion.find(provider, model_key)
        for day in model.starts() if model else ():
            start = datetime.combine(day, time())
            if model and start <= now:
                yield from _judge(model_key, model, start, seen)


def _judge(
    model_key: str, model: KnownModel, start: datetime, seen: Sequence[Change]
) -> Iterator[DatedChange | UnusedStart]:
    old, new = model.since(start - _MOMENT), model.since(start)
    change = next((each for each in seen[1:] if each.observed_at >= start), None)
    if _steps(old.prices) == _steps(new.prices) or (change and change.observed_at == start):
        return
    reason = _misfit(model, start, change)
    if change and not reason:
        known = (change.rate_sheet_id, change.observed_at, model.model_id)
        yield DatedChange(model_key, start, *known)
    elif seen[0].observed_at < start:
        # Where the first table came later, the list says nothing of the time that it could miss.
        yield UnusedStart(model_key, start.date(), model.model_id, reason)


def _misfit(model: KnownModel, start: datetime, change: Change | None) -> str:
    """Why a start date cannot be that of a change; empty = it can."""
    old, new = model.since(start - _MOMENT), model.since(start)
    told = f"{SOURCE} has {_text(old.prices)} -> {_text(new.prices)}"
    if change is None or change.before is None:
        return f"the list has shown no change since; {told}"
    if model.since(change.observed_at).starts_on != start.date():
        # Between the two days a third price held: dating the change would put it out of force.
        return f"another price had begun when the list first showed a change; {told}"
    if not _is_same(change, old.prices, new.prices):
        return f"the list went {_text(change.before)} -> {_text(change.after)}, {told}"
    return ""


def _is_same(change: Change, old: Mapping[str, Steps], new: Mapping[str, Steps]) -> bool:
    """Whether both lists tell the same change of input and output.

    The base rates decide: of brackets and caches one list often tells later than the other. Where
    the base rates stay, the brackets are the change, and must agree.
    """
    pairs = ((change.before or {}, old), (change.after, new))
    if any(_base(listed) != _base(other) for listed, other in pairs):
        return False
    if _base(old) != _base(new):
        return True
    in_steps = all(_steps(listed) == _steps(other) for listed, other in pairs)
    return in_steps and _steps(old) != _steps(new)


def _base(prices: Mapping[str, Steps]) -> list[Decimal]:
    return [steps[0][1] for steps in _steps(prices)]


def _steps(prices: Mapping[str, Steps]) -> list[Steps]:
    """Input and output by bracket; a model that answers nothing has output for nothing."""
    both = [prices.get(meter) or ((-1, Decimal(0)),) for meter in _METERS]
    bounds = sorted({start for steps in both for start, _ in steps})
    return [tuple((bound, step_at(steps, bound)) for bound in bounds) for steps in both]


def _text(prices: Mapping[str, Steps]) -> str:
    both = "/".join(f"{(usd * _MILLION).normalize():f}" for usd in _base(prices))
    return f"{both} USD per 1M"


def _changes(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, list[Change]]]:
    rows = con.execute(load("pricing/rates")["list_changes_with_rates"]).fetchall()
    for model_key, of_model in groupby(rows, key=lambda row: row[0]):
        seen = [*of_model]
        # The provider that has the key now: a key that changed hands is another product.
        yield model_key, seen[-1][1], [_change(*row[2:]) for row in seen]


def _change(observed_at: datetime, sheet: UUID, before: Any, after: Any) -> Change:  # noqa: ANN401
    """One row of the query, whose steps are lists of structs."""
    return Change(observed_at, sheet, _by_meter(before) if before else None, _by_meter(after))


def _by_meter(steps: Sequence[Mapping[str, Any]]) -> dict[str, Steps]:
    columns = zip(_METERS, ("input_usd", "output_usd"), strict=True)
    return {
        meter: tuple((step["above"], step[column] or Decimal(0)) for step in steps)
        for meter, column in columns
    }


def _note(con: duckdb.DuckDBPyConnection, start: DatedChange, version: str, now: datetime) -> None:
    reason = f"{SOURCE} {version}: the price of {start.model_id!r} began then"
    row = {**_named(start[:3], now), "reason": reason, "source_version": version}
    con.execute(load("pricing/rates")["note_start_of_source"], row)


def _named(start: tuple[str, datetime, UUID], now: datetime) -> dict[str, object]:
    names = ("model_key", "starts_at", "rate_sheet_id")
    return {**dict(zip(names, start, strict=True)), "source": SOURCE, "now": now}
