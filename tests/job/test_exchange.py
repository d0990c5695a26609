"""Invoices in other currencies are compared at booked rates; without one nothing is guessed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.allocation import allocate_open_periods
from anchor_autopatch.job.close import freeze, review, sign_off
from anchor_autopatch.job.exchange import book_rate, find_unconvertible, rates, read_rate
from anchor_autopatch.job.variance import find_variances, read_variance_rules
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, UNITS, add_call, allocate, bill, split, usd
from tests.job.closed import LATER, RULES

LINES = "invoice_id,provider,period,amount,currency,model,meter,quantity,quantity_unit,line_id"


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def book(con, currency, rate, day="2026-10-01", now=NOW):
    book_rate(con, read_rate(currency, rate, day, "ECB"), "ana", now)


def reconciled(con, *columns):
    sql = f"SELECT {', '.join(columns)} FROM reconciliation ORDER BY invoice_id"
    return [tuple(str(cell) for cell in row) for row in con.execute(sql).fetchall()]


def euros(con, folder, total="9000.00"):
    """An invoice in EUR over calls that are estimated at 10,000 USD."""
    add_call(con, "r1", "chatbot", "10000")
    bill(con, folder, f"G-1,gemini,2026-10,{total},EUR")


def test_variance_is_told_in_both_currencies(con, tmp_path):
    euros(con, tmp_path)
    book(con, "EUR", "1.25")
    allocate(con)

    # 10,000 USD are 8,000 EUR; the threshold is 500 USD, more than 3 % of 9,000 EUR.
    assert reconciled(con, "variance", "variance_usd", "threshold", "flagged", "exchange_rate") == [
        (f"{-1000:.18f}", f"{-1250:.18f}", f"{400:.18f}", "True", "1.250000000000")
    ]


def test_without_a_rate_a_finding_names_the_invoice(con, tmp_path):
    euros(con, tmp_path)
    allocate(con)

    assert reconciled(con, "variance", "variance_usd", "flagged") == [("None", "None", "False")]
    (told,) = find_unconvertible(con)
    assert told.startswith("2026-10 G-1: no exchange rate of EUR is booked for 2026-10-31")
    assert split(con) == {"chatbot": usd("9000.00")}


def test_the_rate_of_the_last_day_converts_the_month(con, tmp_path):
    euros(con, tmp_path)
    for rate, day in (("2", "2026-09-01"), ("1.25", "2026-10-31"), ("3", "2026-11-01")):
        book(con, "EUR", rate, day)
    allocate(con)

    assert reconciled(con, "exchange_rate") == [("1.250000000000",)]


def test_a_rate_booked_again_counts_and_both_are_kept(con):
    book(con, "EUR", "1.2")
    book(con, "EUR", "1.1", now=NOW + timedelta(minutes=1))

    assert [(rate.currency, rate.usd_per_unit) for rate in rates(con)] == [("EUR", usd("1.1"))]
    assert con.execute("SELECT count(*) FROM exchange_rate").fetchone() == (2,)


def test_a_new_rate_compares_a_divided_month_again(con, tmp_path):
    euros(con, tmp_path)
    allocate_open_periods(con, NOW + timedelta(hours=1))
    book(con, "EUR", "1.25")
    allocate_open_periods(con, NOW + timedelta(hours=2))

    assert reconciled(con, "exchange_rate") == [("1.250000000000",)]


def test_categories_of_a_foreign_invoice_sum_to_its_variance(con, tmp_path):
    add_call(con, "r1", "chatbot", {"input_tokens": "10"})
    row = f"G-1,gemini,2026-10,9.00,EUR,gemini-3.8-flash,input,{UNITS},tokens,L1"
    bill(con, tmp_path, row, header=LINES)
    book(con, "EUR", "1.25")
    rules = read_variance_rules({})
    allocate_open_periods(con, NOW, variance_rules=rules)
    find_variances(con, rules, {}, NOW)

    sql = "SELECT category, amount, currency, estimated_usd, flagged FROM variance_line"
    assert con.execute(sql).fetchall() == [("price_drift", usd("1"), "EUR", usd("10"), True)]


@pytest.mark.parametrize("rate", ["0.913", "1.25", "0.0067", "0.000038", "312.5"])
def test_conversion_loses_less_than_a_minor_unit(con, tmp_path, rate):
    euros(con, tmp_path)
    book(con, "EUR", rate)
    allocate(con)

    ((variance,),) = reconciled(con, "variance")
    exact = Decimal(10000) / Decimal(rate) - 9000
    assert abs(Decimal(variance) - exact) < Decimal("0.00000001")


def test_one_month_closes_in_several_currencies(con, tmp_path):
    add_call(con, "r1", "chatbot", "100", team="support")
    add_call(con, "r2", "search", "100", team="search", provider="mistral")
    add_call(con, "r3", "images", "100", team="media", provider="xai")
    bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")
    bill(con, tmp_path, "M-1,mistral,2026-10,80.00,EUR", name="eur.csv")
    bill(con, tmp_path, "X-1,xai,2026-10,15000,JPY", name="jpy.csv")
    book(con, "EUR", "1.25")
    book(con, "JPY", "0.0066")
    allocate(con)
    review(con, RULES, "2026-10", "ana", LATER)
    sign_off(con, RULES, "2026-10", "bob", LATER)
    freeze(con, tmp_path, RULES, "2026-10", "bob", LATER)

    booked = "SELECT currency, sum(amount), sum(amount) FILTER (amount > 0) FROM ledger_entry"
    assert con.execute(f"{booked} GROUP BY 1 ORDER BY 1").fetchall() == [
        ("EUR", 0, 80),
        ("JPY", 0, 15000),
        ("USD", 0, 100),
    ]
    with pytest.raises(ConfigError, match="2026-10 is frozen"):
        book(con, "JPY", "0.0067")


@pytest.mark.parametrize(
    ("currency", "rate", "day", "named"),
    [
        ("EURO", "1.2", "2026-10-01", "Unknown currency 'EURO'"),
        ("USD", "1", "2026-10-01", "Estimates are in USD"),
        ("EUR", "0", "2026-10-01", "Rate '0' of EUR is none"),
        ("EUR", "1,2", "2026-10-01", "Rate '1,2' of EUR is none"),
        ("EUR", "-1.2", "2026-10-01", "Rate '-1.2' of EUR is none"),
        ("EUR", "1.2", "1.10.2026", "Day '1.10.2026' is none"),
    ],
)
def test_a_rate_that_is_none_is_named(currency, rate, day, named):
    with pytest.raises(ConfigError, match=named):
        read_rate(currency, rate, day, "ECB")


def test_rates_are_booked_and_shown_on_the_command_line(tmp_path, capsys):
    home = ["--home", str(tmp_path)]
    added = ["--currency", "EUR", "--rate", "1.0842", "--from", "2026-10-01", "--source", "ECB"]

    assert main(["invoices", "rate", "add", *added, *home]) == 0
    assert main(["invoices", "rate", "list", *home]) == 0

    assert "1.0842" in capsys.readouterr().out
