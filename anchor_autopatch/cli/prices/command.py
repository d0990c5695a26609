"""`anchor prices`: take over price tables, compare them, show rates, enter contracts."""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from anchor_autopatch.cli.jobs import add_job_arguments, homes_of, this_user
from anchor_autopatch.cli.output import print_json, print_table
from anchor_autopatch.cli.prices.tables import add_diff_arguments, add_sync_arguments, own_models
from anchor_autopatch.job import rates
from anchor_autopatch.job.clock import utc_now
from anchor_autopatch.job.pricing.model_keys import contract_key
from anchor_autopatch.job.rates.contracts import OPEN_END
from anchor_autopatch.job.rates.lookup import ShownModel, ShownRate, ShownSegment, look_up
from anchor_autopatch.job.rates.terms import TERMS
from anchor_autopatch.job.rates.units import told_price
from anchor_autopatch.job.warehouse import open_warehouse

if TYPE_CHECKING:
    import duckdb

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: Commands, name: str, summary: str) -> None:
    """Adds `anchor prices sync|diff|show|set|start`."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=_sentence(summary),
        epilog="example: anchor prices show gpt-4o --provider openai",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_sync(actions)
    _add_diff(actions)
    _add_show(actions)
    _add_set(actions)
    _add_start(actions)


def _add_sync(actions: Commands) -> None:
    text = "take over the price table of the installed litellm package, of a file or a URL"
    sync = _add(actions, "sync", text, "anchor prices sync")
    add_sync_arguments(sync, _day)


def _add_diff(actions: Commands) -> None:
    text = "show what a price table would change in money on your own receipts; changes nothing"
    diff = _add(actions, "diff", text, "anchor prices diff --file prices.json --since 2026-10-01")
    add_diff_arguments(diff, _day)


def _add_show(actions: Commands) -> None:
    text = "show what prices a model, since when, and by which card"
    show = _add(actions, "show", text, "anchor prices show gpt-4o --provider azure")
    show.add_argument("model", metavar="MODEL", help="a model name as applications write it")
    show.add_argument("--provider", help="who invoices; derived from the name when left out")
    show.add_argument("--all", action="store_true", help="every tier, surcharge and hour")
    show.set_defaults(run=_show)


def _add_set(actions: Commands) -> None:
    text = "enter a contract or manual rate, which outranks the list from its first day on"
    example = (
        "anchor prices set gpt-4o --provider openai --input 2.00/1M --output 8/1M "
        "--from 2026-10-01 --reason 'order form 4711'"
    )
    parser = _add(actions, "set", text, example)
    parser.add_argument("model", metavar="MODEL", help="a model name as receipts carry it")
    parser.add_argument("--provider", default="", help="only calls that this provider invoices")
    for term, (_, unit) in TERMS.items():
        flag = f"--{term.replace('_', '-')}"
        text = f"USD per {unit}: 2.50/1M, 0.04"
        parser.add_argument(flag, metavar="USD", dest=f"rate_{term}", help=text)
    _add_period(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept for the audit")
    parser.set_defaults(run=_set)


def _add_start(actions: Commands) -> None:
    text = "say when a change of list rates really began, which the list showed later"
    example = "anchor prices start o3 --from 2025-06-10 --reason 'announced that day'"
    parser = _add(actions, "start", text, example)
    parser.add_argument("model", metavar="MODEL", help="a key of the list; see anchor prices show")
    parser.add_argument(
        "--from", required=True, type=_day, dest="start", metavar="YYYY-MM-DD", help="that day, UTC"
    )
    parser.add_argument("--reason", required=True, metavar="TEXT", help="kept for the audit")
    parser.set_defaults(run=_start)


def _add_period(parser: argparse.ArgumentParser) -> None:
    day = "YYYY-MM-DD"
    parser.add_argument(
        "--from", required=True, type=_day, dest="start", metavar=day, help="first day, UTC"
    )
    parser.add_argument(
        "--to", type=_day, dest="end", metavar=day, help="first day after it, UTC; default: open"
    )
    parser.add_argument(
        "--replace", action="store_true", help="end a contract that this one overlaps"
    )


def _add(actions: Commands, name: str, text: str, example: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name, help=text, description=_sentence(text), epilog=f"example: {example}"
    )
    add_job_arguments(parser)
    return parser


def _sentence(text: str) -> str:
    # Not capitalize(), which writes the rest in small letters: LiteLLM, USD, URL.
    return f"{text[0].upper()}{text[1:]}"


def _show(args: argparse.Namespace) -> int:
    with _warehouse(args) as con:
        shown = look_up(con, args.model, args.provider, own_models(args))
    if args.json:
        print_json(_as_json(shown))
        return 0
    print_table(
        f"{shown.model_key} ({shown.rule})",
        ("source", "from", "to", "because", "card", "rates in USD"),
        [_segment_row(segment) for segment in shown.segments],
    )
    rows = [rate for rate in shown.rates if args.all or _is_plain(rate)]
    print_table(
        "Current rates",
        ("tier", "surcharge", "off-peak", "prompt tokens", "meter", "USD", "per"),
        [_rate_row(rate) for rate in rows],
        right=("USD",),
    )
    return 0


def _set(args: argparse.Namespace) -> int:
    typed = {term: getattr(args, f"rate_{term}") for term in TERMS}
    terms = rates.ContractTerms(
        contract_key(args.model),
        args.provider,
        {term: text for term, text in typed.items() if text is not None},
        args.start,
        args.end or OPEN_END,
        args.reason,
        this_user(),
    )
    with _warehouse(args) as con:
        report = rates.set_rate(con, terms, replace=args.replace, now=utc_now())
    if args.json:
        print_json(report._asdict())
    elif report.is_new:
        print(f"{terms.model_key}: contract {report.rate_card_id[:12]}, replaces {report.replaced}")
    else:
        print(f"{terms.model_key}: this very contract is there already")
    return 0


def _start(args: argparse.Namespace) -> int:
    start = rates.RateStart(args.model, args.start, args.reason, this_user())
    with _warehouse(args) as con:
        card = rates.set_start(con, start, utc_now())
    if args.json:
        print_json({"model_key": args.model, "rate_card_id": card})
    else:
        print(f"{args.model}: the rates of card {card[:12]} hold since {args.start.date()}")
    return 0


def _segment_row(segment: ShownSegment) -> tuple[object, ...]:
    end = "open" if segment.valid_to >= OPEN_END else segment.valid_to
    start = "ever" if segment.valid_from.year == _OPEN_PAST else segment.valid_from
    because = segment.reason or segment.provenance
    card = f"{segment.card_source} {segment.source_version}, {segment.rate_card_id[:12]}"
    return segment.source, start, end, because, card, segment.summary


_OPEN_PAST = 1970


def _rate_row(rate: ShownRate) -> tuple[object, ...]:
    bracket = f"> {rate.above_tokens:,}" if rate.above_tokens > 0 else "any"
    price = told_price(rate.meter, rate.unit_price_usd)
    off_peak = "yes" if rate.off_peak else "-"
    return rate.tier, rate.modifier or "-", off_peak, bracket, rate.meter, *price


def _is_plain(rate: ShownRate) -> bool:
    return rate.tier == "standard" and not rate.modifier and not rate.off_peak


def _as_json(shown: ShownModel) -> dict[str, object]:
    return {
        "model_key": shown.model_key,
        "rule": shown.rule,
        "segments": [segment._asdict() for segment in shown.segments],
        "rates": [
            {**rate._asdict(), **told_price(rate.meter, rate.unit_price_usd)._asdict()}
            for rate in shown.rates
        ],
    }


def _warehouse(args: argparse.Namespace) -> duckdb.DuckDBPyConnection:
    return open_warehouse(homes_of(args)[0])


def _day(text: str) -> datetime:
    """Midnight UTC of a day as the warehouse holds it: without a zone."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write 2026-10-01") from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=None)
