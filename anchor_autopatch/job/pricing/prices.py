"""Prices receipts in SQL, each by the card that was valid when its request began.

A run with the knowledge of the run before looks at new receipts only; new rates or new rules make
it look at all open periods again. Frozen periods keep their prices: what they would cost by new
rates is noted as a proposal, for whoever corrects them. Running it twice changes nothing.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.meters import METER_VERSION
from anchor_autopatch.job.pricing.agreements import agree
from anchor_autopatch.job.pricing.model_keys import Catalogue, Names, make_catalogue, resolve
from anchor_autopatch.job.sql import load
from anchor_autopatch.job.warehouse import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

PRICING_VERSION: Final = 2
"""Raised whenever the same meters and rates would give another price."""
_CHECKED_COUNT: Final = 100_000
"""Sums of usage lines are checked for all receipts of a run up to so many, else for as many."""
_STRETCH: Final = 500_000
"""Receipts that are priced at a time: numbers of a range below a million are joined by place, and
ids of so many receipts take some 80 MB."""
_STEP: Final = 100_000
"""Rows of the table receipt by which such a stretch grows."""
_GAP: Final = 10
"""How many steps on the work must go on in the same stretch: to read those between takes less than
to plan one more statement."""
_PREPARED: Final = (
    "cut_spans",
    "number_rates",
    "spread_rates",
    "number_other_rates",
    "create_status",
    "create_costs",
)
"""Statements that make the small tables which each stretch is joined to, in this order."""
_LOOK_BACK: Final = timedelta(hours=1)
"""How much further back than the last run is looked: what was settled anew carries the instant of
a run, not the number of a shipment."""
NO_MODELS: Final[Mapping[str, str]] = MappingProxyType({})
_EVER: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the warehouse holds UTC without a zone


class PriceReport(NamedTuple):
    """What one run did."""

    receipt_count: int
    """Receipts looked at."""
    changed_count: int
    """Prices written: new ones and those that differ from before."""
    statuses: Mapping[str, int]
    """Price status -> receipts, among those looked at."""
    proposed_count: int = 0
    """Receipts of frozen periods that would now cost another amount, whenever that was noticed."""


class _LastRun(NamedTuple):
    knowledge: str
    unseen_since: datetime
    """Whatever was shipped or settled before was looked at."""
    priced_at: datetime


def price(
    con: duckdb.DuckDBPyConnection,
    now: datetime,
    *,
    open_from: datetime = _EVER,
    models: Mapping[str, str] = NO_MODELS,
) -> PriceReport:
    """Prices what is new, and everything since `open_from` once rates or rules have changed.

    Args:
        con: the warehouse; receipts must have been measured.
        now: the instant of the run, UTC.
        models: `[models]` of anchor.toml, names of one's own -> models.
        open_from: start of the first period that may still change; older prices stay as they are.

    Raises:
        StoreError: a price is not the sum of its usage lines; nothing was written.
    """
    with transaction(con):
        knowledge, last = _knowledge(con, models), _last_run(con)
        is_known = last is not None and last.knowledge == knowledge
        if last is not None and is_known:
            con.execute(load("pricing/prices")["collect_new"], {"since": last.unseen_since})
        else:
            con.execute(load("pricing/prices")["collect_open"], {"open_from": open_from})
        work = _count(con, "count_work")
        if work:
            price_collected(con, now, models)
            report = _price_work(con, work, now)
        else:
            report = PriceReport(0, 0, {})
        if last is not None and not is_known:
            _propose(con, last.priced_at, now, models)
        report = report._replace(proposed_count=_count(con, "count_proposals"))
        _record(con, report, knowledge, now)
    con.execute(load("pricing/prices")["drop_work"])
    return report


def read_catalogue(
    con: duckdb.DuckDBPyConnection, models: Mapping[str, str] = NO_MODELS
) -> Catalogue:
    """Every key that the current segments price, and what names of one's own mean."""
    rows = con.execute(load("pricing/rates")["list_keys"]).fetchall()
    return make_catalogue(
        {key: provider for source, key, provider in rows if source == "list"},
        ((key, provider) for source, key, provider in rows if source == "contract"),
        models,
    )


def price_collected(
    con: duckdb.DuckDBPyConnection, now: datetime, models: Mapping[str, str] = NO_MODELS
) -> None:
    """Prices the receipts in `price_work` into `fresh_price`, both temporary tables."""
    sql = load("pricing/costs")
    _collect_names(con)
    resolve_asked(con, now, models)
    for step in _PREPARED:
        con.execute(sql[step])
    _price_usual(con)
    _price_rest(con)
    con.execute(sql["spell_out"])


def _price_usual(con: duckdb.DuckDBPyConnection) -> None:
    sql = load("pricing/costs")
    for rows in _stretches(con, "list_steps", _STRETCH):
        con.execute(sql["take_stretch"], rows)
        [(lowest, highest)] = con.execute(sql["stretch_ids"], rows).fetchall()
        con.execute(sql["price_usual"], {**rows, "lowest": lowest, "highest": highest})


def _price_rest(con: duckdb.DuckDBPyConnection) -> None:
    sql = load("pricing/costs")
    con.execute(sql["take_rest"])
    con.execute(sql["forget_rest"])
    for rows in _stretches(con, "list_rest_steps", _STRETCH):
        con.execute(sql["take_rest_stretch"], rows)
        con.execute(sql["price_rest"])


def _stretches(
    con: duckdb.DuckDBPyConnection, steps: str, longest: int
) -> Iterator[dict[str, int]]:
    """The work in ranges [first, end) of rows, of `longest` receipts at most, none over a gap.

    A run of a day may hold 100,000 new receipts and three old ones: what lies between is not read.
    """
    rows = con.execute(load("pricing/costs")[steps], {"size": _STEP}).fetchall()
    taken: list[int] = []
    held = 0
    for step, count in rows:
        if taken and (held + count > longest or step - taken[-1] > _GAP):
            yield _range(taken)
            taken, held = [], 0
        taken.append(step)
        held += count
    if taken:
        yield _range(taken)


def _range(steps: list[int]) -> dict[str, int]:
    return {"first": steps[0] * _STEP, "end": (steps[-1] + 1) * _STEP}


def _knowledge(con: duckdb.DuckDBPyConnection, models: Mapping[str, str]) -> str:
    segments = con.execute(load("pricing/prices")["knowledge"]).fetchone()
    names = hashlib.sha256(repr(sorted(models.items())).encode()).hexdigest() if models else ""
    return f"{PRICING_VERSION}|{METER_VERSION}|{segments}|{names}"


def _last_run(con: duckdb.DuckDBPyConnection) -> _LastRun | None:
    look_back = {"look_back_us": _LOOK_BACK // timedelta(microseconds=1)}
    row = con.execute(load("pricing/prices")["last_run"], look_back).fetchone()
    return _LastRun(*row) if row else None


def _propose(
    con: duckdb.DuckDBPyConnection, since: datetime, now: datetime, models: Mapping[str, str]
) -> None:
    """Notes what receipts of frozen periods would cost by what was learnt since the last run."""
    sql = load("pricing/prices")
    con.execute(sql["collect_frozen"], {"since": since})
    if _count(con, "count_work"):
        price_collected(con, now, models)
        con.execute(sql["forget_proposals"])
        con.execute(sql["insert_proposals"], {"now": now})


def resolve_asked(
    con: duckdb.DuckDBPyConnection, now: datetime, models: Mapping[str, str] = NO_MODELS
) -> None:
    """Resolves the names in `asked_name` and numbers them and their spans, in temporary tables."""
    sql = load("pricing/costs")
    catalogue = read_catalogue(con, models)
    known = {"catalogue_id": catalogue.catalogue_id}
    con.execute(sql["forget_resolutions"], known)
    unresolved = con.execute(sql["unresolved_names"], known).fetchall()
    with con.appender("model_resolution") as appender:
        for row in unresolved:
            found = resolve(Names(*row), catalogue)
            contract = found.contract or (None, None)
            appender.append_row(*row, catalogue.catalogue_id, *found[:3], *contract, now)
    agree(con)
    con.execute(sql["number_names"])
    con.execute(sql["number_spans"])


def _collect_names(con: duckdb.DuckDBPyConnection) -> None:
    sql = load("pricing/costs")
    con.execute(sql["collect_special_names"])
    con.execute(sql["create_names"])
    # However many receipts there are, their names are few.
    for rows in _stretches(con, "list_steps", sys.maxsize):
        con.execute(sql["collect_names"], rows)


def _price_work(con: duckdb.DuckDBPyConnection, work: int, now: datetime) -> PriceReport:
    sql = load("pricing/prices")
    con.execute(sql["collect_changed"])
    con.execute(sql["forget_changed"])
    con.execute(sql["insert_changed"], {"now": now})
    changed = _count(con, "count_changed")
    _check_sums(con, changed)
    statuses = dict(con.execute(sql["count_statuses"]).fetchall())
    return PriceReport(work, changed, statuses)


def _check_sums(con: duckdb.DuckDBPyConnection, changed: int) -> None:
    every = max(1, changed // _CHECKED_COUNT)
    con.execute(load("pricing/prices")["collect_checked"], {"every": every})
    broken = _count(con, "count_broken_sums")
    if broken:
        raise StoreError(
            f"The price of {broken} receipts is not the sum of their usage lines; "
            "nothing was priced, report this"
        )


def _record(
    con: duckdb.DuckDBPyConnection, report: PriceReport, knowledge: str, now: datetime
) -> None:
    row = {
        "now": now,
        "knowledge": knowledge,
        "receipt_count": report.receipt_count,
        "changed_count": report.changed_count,
    }
    con.execute(load("pricing/prices")["record_run"], row)


def _count(con: duckdb.DuckDBPyConnection, name: str) -> int:
    row = con.execute(load("pricing/prices")[name]).fetchone()
    return int(row[0]) if row else 0
