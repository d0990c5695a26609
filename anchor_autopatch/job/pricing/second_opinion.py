"""Holds the cards in force against genai-prices: where the two lists differ, and in what money.

Two lists that agree are no proof, two that differ are a reason to look at the provider's page. It
changes nothing: prices come from the cards alone.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anchor_autopatch.job.pricing.preview import undone
from anchor_autopatch.job.rates.opinion import step_at
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    import duckdb

    from anchor_autopatch.job.rates.opinion import KnownModel, SecondOpinion

__all__ = ("CardRow", "Comparison", "Disagreement", "compare", "disagreements")

# Searches have a rate for each size of context; the other list knows one, that of the usual size.
_METER_OF_COLUMN: Final = {"searches_medium": "searches"}


class CardRow(NamedTuple):
    """The standard rates of a model in one context bracket, in or out of its off-peak hours."""

    model_key: str
    provider: str
    """As the list names it."""
    rate_id: int
    off_peak: bool
    above_tokens: int
    upto_tokens: int
    looked_at: datetime
    """An instant at which they apply, UTC."""
    rates: Mapping[str, Decimal | None]
    """Column of `rate` without _usd -> USD per unit; None = no such rate."""


class Disagreement(NamedTuple):
    """One price on which the lists differ; USD per unit."""

    model_key: str
    meter: str
    above_tokens: int
    """Of the prompt; below 0 = any."""
    upto_tokens: int
    off_peak: bool
    card_usd: Decimal | None
    """None = the card has no such rate."""
    opinion_usd: Decimal
    model_id: str
    """As genai-prices names it: it matches names by pattern, so look whether it is the same."""
    rate_id: int
    quantity: Decimal = Decimal(0)
    """Units of open months that were priced at the card's rate."""

    @property
    def factor(self) -> Decimal | None:
        """The other price over the card's; None where the card has none, or asks nothing."""
        return self.opinion_usd / self.card_usd if self.card_usd else None

    @property
    def difference_usd(self) -> Decimal:
        """What those units would cost more by the other list."""
        return self.quantity * (self.opinion_usd - (self.card_usd or 0))


class Comparison(NamedTuple):
    """Both lists, side by side; the dearest disagreement first."""

    source_version: str
    compared_count: int
    """Models that both know."""
    only_card_count: int
    only_opinion_count: int
    """Of the providers that the list has, too."""
    disagreements: tuple[Disagreement, ...]

    @property
    def difference_usd(self) -> Decimal:
        """What the calls of open months would cost more by the other list, all together."""
        return sum((each.difference_usd for each in self.disagreements), Decimal(0))


def compare(con: duckdb.DuckDBPyConnection, opinion: SecondOpinion, now: datetime) -> Comparison:
    """Compares the cards that hold at `now` with what genai-prices says of the same instant.

    Only standard rates of the list: tiers, surcharges and contracts are not what it speaks of.
    """
    rows = _card_rows(con, now)
    known = {key: opinion.find(provider, key) for key, provider in {row[:2]: 0 for row in rows}}
    found = list(disagreements(rows, known))
    quantities = _quantities(con, found)
    counted = [
        each._replace(quantity=quantities.get(number, Decimal(0)))
        for number, each in enumerate(found)
    ]
    # Amounts first; a total order after them, so that two runs print the same.
    counted.sort(key=lambda each: (-abs(each.difference_usd), each[:5]))
    both = {f"{model.provider_id}/{model.model_id}" for model in known.values() if model}
    compared = sum(1 for model in known.values() if model)
    return Comparison(
        source_version=opinion.version,
        compared_count=compared,
        only_card_count=len(known) - compared,
        only_opinion_count=len(opinion.model_ids() - both),
        disagreements=tuple(counted),
    )


def disagreements(
    rows: Iterable[CardRow], known: Mapping[str, KnownModel | None]
) -> Iterator[Disagreement]:
    """Every price on which a card and the other list differ; pure.

    What the other list does not state is not compared: it may mean free, or not known.
    """
    for row in rows:
        model = known.get(row.model_key)
        if model is not None:
            yield from _of_row(row, model)


def _of_row(row: CardRow, model: KnownModel) -> Iterator[Disagreement]:
    for column, steps in model.at(row.looked_at).items():
        card = row.rates.get(column)
        for above, upto in _stretches(row, [start for start, _ in steps]):
            other = step_at(steps, above)
            if card != other:
                yield Disagreement(
                    model_key=row.model_key,
                    meter=_METER_OF_COLUMN.get(column, column),
                    above_tokens=above,
                    upto_tokens=upto,
                    off_peak=row.off_peak,
                    card_usd=card,
                    opinion_usd=other,
                    model_id=model.model_id,
                    rate_id=row.rate_id,
                )


def _stretches(row: CardRow, starts: list[int]) -> list[tuple[int, int]]:
    """The bracket of a card, cut where the other list has a step inside it."""
    inside = [start for start in starts if row.above_tokens < start < row.upto_tokens]
    return [*pairwise((row.above_tokens, *inside, row.upto_tokens))]


def _card_rows(con: duckdb.DuckDBPyConnection, now: datetime) -> list[CardRow]:
    found = con.execute(load("pricing/opinion")["rates_in_force"], {"now": now})
    names = [column[0] for column in found.description or ()]
    return [_card_row(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _card_row(row: Mapping[str, Any]) -> CardRow:
    rates = {name.removesuffix("_usd"): usd for name, usd in row.items() if name.endswith("_usd")}
    return CardRow._make((*(row[field] for field in CardRow._fields[:-1]), rates))


def _quantities(
    con: duckdb.DuckDBPyConnection, found: Iterable[Disagreement]
) -> dict[int, Decimal]:
    """Units that open months used at each disputed rate, by its place in `found`."""
    sql = load("pricing/opinion")
    with undone(con):
        con.execute(sql["create_opinion_prices"])
        with con.appender("opinion_price") as appender:
            appender.append_rows(
                [
                    (number, each.model_key, each.rate_id, each.meter, *each[2:4], each.card_usd)
                    for number, each in enumerate(found)
                ]
            )
        con.execute(sql["collect_doubted"])
        return {number: Decimal(units) for number, units in _doubted(con)}


def _doubted(con: duckdb.DuckDBPyConnection) -> list[tuple[int, Decimal]]:
    return con.execute(load("pricing/opinion")["doubted_usage"]).fetchall()
