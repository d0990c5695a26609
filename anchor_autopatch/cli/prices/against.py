"""`anchor prices diff --against genai-prices`: where a second list says another price."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from anchor_autopatch.cli.jobs import homes_of
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.clock import utc_now
from anchor_autopatch.job.pricing.second_opinion import compare
from anchor_autopatch.job.rates.opinion import SOURCE, read_opinion
from anchor_autopatch.job.rates.units import told_price
from anchor_autopatch.job.warehouse import open_warehouse

if TYPE_CHECKING:
    import argparse

    from anchor_autopatch.job.pricing.second_opinion import Comparison, Disagreement

_TOLD: Final = Context(prec=4)
"""Digits of a factor that say something."""


def add_against_arguments(
    source: argparse._MutuallyExclusiveGroup, parser: argparse.ArgumentParser
) -> None:
    """Adds --against beside the other sources of a table, and --all."""
    source.add_argument(
        "--against",
        choices=(SOURCE,),
        help="compare the rates in force with that package, and price the calls of open months",
    )
    parser.add_argument(
        "--all", action="store_true", help="with --against: also prices that no call used"
    )


def run_against(args: argparse.Namespace) -> int:
    """Prints the comparison; 1 when calls of open months were priced at a disputed rate."""
    if args.since or args.sha256:
        flag = "--since" if args.since else "--sha256"
        raise ConfigError(f"{flag} is about a table; --against looks at open months, without it")
    opinion = read_opinion()
    with open_warehouse(homes_of(args)[0]) as con:
        found = compare(con, opinion, utc_now())
    own = [each for each in found.disagreements if each.quantity]
    if args.json:
        print_json(_as_dict(found))
    else:
        _print(found, list(found.disagreements) if args.all else own)
    return 1 if own else 0


def _print(found: Comparison, shown: list[Disagreement]) -> None:
    about = f"{SOURCE} {found.source_version} against the rates in force, standard tier"
    if shown:
        print_table(
            about,
            (
                *("model", "meter", "prompt tokens", "card, USD", SOURCE, "per", "factor"),
                *("units used", "difference, USD", "there called"),
            ),
            [_row(each) for each in shown],
            right=("card, USD", SOURCE, "factor", "units used", "difference, USD"),
        )
    else:
        print(f"{about}: no other price for any call of open months.")
    models = len({each.model_key for each in found.disagreements})
    print(
        f"{found.compared_count} models are in both: {len(found.disagreements)} prices of {models} "
        f"differ. Only in the card: {found.only_card_count}; only in {SOURCE}: "
        f"{found.only_opinion_count}"
    )
    print(f"By {SOURCE} the calls of open months would differ by {found.difference_usd:+.4f} USD")


def _row(each: Disagreement) -> tuple[object, ...]:
    other = told_price(each.meter, each.opinion_usd)
    card = None if each.card_usd is None else told_price(each.meter, each.card_usd).usd
    when = f"{_bracket(each)}, off-peak" if each.off_peak else _bracket(each)
    prices = (card, other.usd, other.per, _factor(each.factor))
    money = (each.quantity.normalize(), f"{each.difference_usd:+.4f}")
    return each.model_key, each.meter, when, *prices, *money, each.model_id


def _bracket(each: Disagreement) -> str:
    return f"> {each.above_tokens:,}" if each.above_tokens > 0 else "any"


def _factor(factor: Decimal | None) -> str | None:
    return None if factor is None else f"{_TOLD.plus(factor).normalize():f}"


def _as_dict(found: Comparison) -> dict[str, Any]:
    return {
        **found._asdict(),
        "difference_usd": found.difference_usd,
        "disagreements": [_each_as_dict(each) for each in found.disagreements],
    }


def _each_as_dict(each: Disagreement) -> dict[str, Any]:
    """USD per unit, exact, as the warehouse keeps rates; the factor in full."""
    return {**each._asdict(), "factor": each.factor, "difference_usd": each.difference_usd}
