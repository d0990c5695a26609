"""Which month a receipt is of, by the calendar of who bills it: always one, never two."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation.calendars import Payer, Scope, billing_months, month_start
from anchor_autopatch.job.invoices import import_file
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, add_call, allocate, split, usd
from tests.job.invoices.files import save

PACIFIC = "America/Los_Angeles"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def at(text):
    return datetime.fromisoformat(text)


def scope(period, source="csv", account="", provider="gemini"):
    return Scope(provider, account, period, f"{provider}{account}{period}", source, False)


def month_of(months, instant):
    return [each.period for each in months if each.from_at <= instant < each.to_at]


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("2026-10", "2026-10-01T07:00"),
        # Summer time ends at 2:00 of the very day that November begins.
        ("2026-11", "2026-11-01T07:00"),
        ("2026-12", "2026-12-01T08:00"),
        ("2027-03", "2027-03-01T08:00"),
    ],
)
def test_pacific_months_begin_at_pacific_midnight(period, start):
    assert month_start(period, PACIFIC) == at(start)


def test_an_unknown_time_zone_is_named():
    with pytest.raises(ConfigError, match="'Mars/Olympus'"):
        month_start("2026-10", "Mars/Olympus")


@pytest.mark.parametrize(
    ("source", "instant", "period"),
    [
        ("gcp-billing", "2026-11-01T06:59:59", "2026-10"),
        ("gcp-billing", "2026-11-01T07:00:00", "2026-11"),
        ("csv", "2026-10-31T23:59:59", "2026-10"),
        ("csv", "2026-11-01T00:00:00", "2026-11"),
    ],
)
def test_months_are_those_of_the_source(source, instant, period):
    payer = Payer("gemini", "", at("2026-10-02"), at("2026-11-20"))
    months = billing_months([scope("2026-10", source), scope("2026-11", source)], [payer], {})

    assert month_of(months, at(instant)) == [period]


SOURCES = st.sampled_from(("csv", "gcp-billing", None))
ZONES = st.sampled_from(("UTC", PACIFIC, "Asia/Kolkata", "Pacific/Kiritimati"))


@given(
    sources=st.lists(SOURCES, min_size=4, max_size=4),
    zone=ZONES,
    minutes=st.integers(0, 60 * 24 * 91),
)
def test_every_instant_is_in_one_month(sources, zone, minutes):
    periods = ("2026-09", "2026-10", "2026-11", "2026-12")
    scopes = [scope(each, source) for each, source in zip(periods, sources, strict=True) if source]
    instant = at("2026-09-15T00:00") + timedelta(minutes=minutes)
    payer = Payer("gemini", "", at("2026-09-15"), at("2026-12-15"))

    months = billing_months(scopes, [payer], {"gemini": zone})

    assert len(month_of(months, instant)) == 1


def test_a_call_of_the_last_pacific_evening_is_on_the_invoice_of_its_month(con, tmp_path):
    add_call(con, "r1", "chatbot", "1", occurred_at=at("2026-10-12T09:00"))
    add_call(con, "r2", "evening", "1", occurred_at=at("2026-11-01T03:00"))
    add_call(con, "r3", "november", "1", occurred_at=at("2026-11-01T09:00"))

    import_gcp(con, tmp_path, 8.0)
    allocate(con)

    assert split(con) == {"chatbot": usd("4.00"), "evening": usd("4.00")}
    (period,) = con.execute("SELECT period FROM app_cost WHERE service = 'november'").fetchone()
    assert period == "2026-11"


def test_daily_lines_find_the_receipts_of_their_pacific_day(con, tmp_path):
    add_call(con, "r1", "noon", "1", occurred_at=at("2026-10-12T19:00"))
    add_call(con, "r2", "late", "1", occurred_at=at("2026-10-13T06:00"))
    add_call(con, "r3", "next", "1", occurred_at=at("2026-10-13T07:00"))

    import_gcp(con, tmp_path, 8.0, "2026-10-12T07:00:00Z", "2026-10-13T07:00:00Z")
    allocate(con)

    assert split(con) == {"noon": usd("4.00"), "late": usd("4.00"), "next": usd("0.00")}


def import_gcp(con, folder, cost, start="2026-10-01T07:00:00Z", end="2026-11-01T07:00:00Z"):
    row = {
        "billing_account_id": "B-1",
        "service": {"description": "Gemini API"},
        "sku": {"description": "Gemini API"},
        **{"usage_start_time": start, "usage_end_time": end, "invoice": {"month": "202610"}},
        **{"cost": cost, "currency": "USD", "credits": [], "cost_type": "regular"},
    }
    import_file(con, save(folder, json.dumps(row), "gcp.jsonl"), NOW)
