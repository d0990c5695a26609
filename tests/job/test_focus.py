"""FOCUS export: all columns, sums equal to the invoices, no row against the specification."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.settings import REPORT_FILE
from anchor_autopatch.job.focus import check_focus, export_focus
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import HEADER, NOW, add_call, allocate, bill, usd
from tests.job.focus_home import make_home

REFERENCE = Path(__file__).parents[3] / "shared/reference/focus-1.2-mandatory-columns.txt"
ALLOCATION = "AllocatedMethodId AllocatedMethodDetails AllocatedResourceId AllocatedResourceName"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("focus")
    make_home(home)
    return home


def report(home, sql):
    with duckdb.connect(str(home / REPORT_FILE), read_only=True) as con:
        return con.execute(sql).fetchall()


def exported(home, path, **options):
    export_focus(home, path, kind="csv", **options)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def columns_of(home):
    return [
        name
        for (name,) in report(
            home,
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'focus_cost_and_usage'"
            " ORDER BY column_index",
        )
    ]


def test_every_column_of_focus_1_2_is_there(home):
    if not REFERENCE.exists():
        pytest.skip("the list of FOCUS columns is not beside this checkout")
    wanted = {line.split()[1] for line in REFERENCE.read_text("utf-8").splitlines() if line.strip()}

    assert len(wanted) == 57
    assert wanted <= set(columns_of(home))


def test_own_columns_begin_with_x(home):
    own = [name for name in columns_of(home) if name.startswith("x_")]

    assert columns_of(home)[-len(own) :] == own
    assert set(ALLOCATION.split()) < set(columns_of(home))


def test_rows_of_an_invoice_sum_to_it(home, tmp_path):
    sums = defaultdict(Decimal)
    for row in exported(home, tmp_path / "f.csv"):
        if row["InvoiceId"] and row["ChargeClass"] != "Correction":
            sums[row["InvoiceId"], row["BillingCurrency"]] += Decimal(row["BilledCost"])

    assert sums == {
        ("G-1", "USD"): usd("100"),
        ("O-1", "EUR"): usd("5.01"),
        ("X-1", "USD"): usd("1.01"),
        ("A-1", "USD"): usd("11"),
    }


def test_instants_are_utc_with_z_and_ends_exclusive(home, tmp_path):
    row = exported(home, tmp_path / "f.csv", period="2026-10")[0]

    assert [
        row[f"{kind}Period{end}"] for kind in ("Billing", "Charge") for end in ("Start", "End")
    ] == [
        "2026-10-01T00:00:00Z",
        "2026-11-01T00:00:00Z",
    ] * 2


def test_list_cost_is_the_rate_card_in_dollars_and_the_bill_elsewhere(home):
    assert report(
        home,
        "SELECT x_Service, ListCost, BilledCost, x_ListCostBasis FROM focus_cost_and_usage"
        " WHERE ChargeClass IS NULL AND BillingPeriodStart = '2026-10-01' AND x_Bucket IS NULL"
        " AND x_Provider <> 'anthropic'"
        " ORDER BY BilledCost DESC",
    )[1:] == [
        ("chat", usd("16"), usd("16"), "estimated"),
        ("chat", usd("5.01"), usd("5.01"), "billed"),
    ]


def test_taxes_are_rows_beside_the_shares_and_sum_to_the_bill(home):
    assert report(
        home,
        "SELECT x_Service, ChargeCategory, BilledCost, PricingQuantity, ConsumedQuantity"
        " FROM focus_cost_and_usage WHERE InvoiceId = 'A-1' ORDER BY ALL",
    ) == [
        ("chat", "Tax", usd("0.67"), None, None),
        ("chat", "Usage", usd("6.66"), 1, 1),
        ("search", "Tax", usd("0.33"), None, None),
        ("search", "Usage", usd("3.34"), 1, 1),
    ]


@pytest.mark.parametrize(
    ("currency", "net", "tax"),
    [
        ("USD", "10.00", "0.05"),
        ("USD", "0.07", "0.02"),
        ("JPY", "100", "10"),
        ("USD", "9", "-0.04"),
    ],
)
def test_taxes_of_many_shares_sum_to_the_tax_to_the_minor_unit(tmp_path, currency, net, tax):
    with open_warehouse(tmp_path) as con:
        for number in range(7):
            add_call(con, f"r{number}", f"app-{number}", str(1 + number % 3))
        bill(
            con,
            tmp_path,
            f"G-1,gemini,2026-10,{net},{currency},usage",
            f"G-1,gemini,2026-10,{tax},{currency},tax",
            header=f"{HEADER},charge_category",
        )
        allocate(con)
        publish(con, tmp_path, NOW)

    assert report(
        tmp_path,
        "SELECT sum(BilledCost) FILTER (WHERE ChargeCategory = 'Tax'), sum(BilledCost)"
        " FROM focus_cost_and_usage",
    ) == [(usd(tax), usd(net) + usd(tax))]


def test_tags_hold_what_is_known_of_the_owner(home):
    found = report(
        home,
        "SELECT Tags::VARCHAR, AllocatedTags::VARCHAR, AllocatedResourceId"
        " FROM focus_cost_and_usage"
        " WHERE x_Service IN ('search', 'chat') AND InvoiceId = 'G-1' AND ChargeClass IS NULL"
        " ORDER BY AllocatedResourceId",
    )

    tags = [
        (json.loads(own), json.loads(allocated), receiver) for own, allocated, receiver in found
    ]
    assert tags == [
        ({"service": "chat"}, {"service": "chat"}, "chat"),
        *[({"team": "core", "service": "search", "environment": "prod"},) * 2 + ("search",)],
    ]


def test_money_that_no_call_explains_is_a_row_of_its_own(home):
    assert report(
        home,
        "SELECT AllocatedResourceId, BilledCost, ConsumedQuantity FROM focus_cost_and_usage"
        " WHERE x_Bucket IS NOT NULL",
    ) == [("__unallocated", usd("1.01"), None)]


def test_corrections_of_a_frozen_month_are_of_the_month_they_are_booked_in(home):
    assert report(
        home,
        "SELECT AllocatedResourceId, ChargeClass, BilledCost, BillingPeriodStart::VARCHAR,"
        " ChargePeriodStart::VARCHAR FROM focus_cost_and_usage WHERE ChargeClass IS NOT NULL"
        " ORDER BY BilledCost",
    ) == [
        ("search", "Correction", usd("-4"), "2026-11-01 00:00:00", "2026-10-01 00:00:00"),
        ("chat", "Correction", usd("4"), "2026-11-01 00:00:00", "2026-10-01 00:00:00"),
    ]


def test_what_is_not_invoiced_yet_is_an_estimate_without_an_invoice(home, tmp_path):
    rows = exported(home, tmp_path / "f.csv", period="2026-11")

    estimates = [row for row in rows if not row["InvoiceId"]]
    assert [
        (row["BilledCost"], row["x_Status"], row["AllocatedMethodId"]) for row in estimates
    ] == [("7.000000000000000000", "estimated", "")]


def test_estimates_can_be_left_out(home, tmp_path):
    rows = exported(home, tmp_path / "f.csv", billed_only=True)

    assert all(row["InvoiceId"] for row in rows)


def test_parquet_holds_the_same_rows(home, tmp_path):
    export_focus(home, tmp_path / "f.parquet", kind="parquet")

    counted = duckdb.sql(
        f"SELECT count(*), sum(BilledCost) FROM '{tmp_path / 'f.parquet'}'"
    ).fetchall()
    rows = exported(home, tmp_path / "f.csv")
    assert counted == [(len(rows), sum(Decimal(row["BilledCost"]) for row in rows))]


def test_the_export_imports_as_the_same_invoice(home, tmp_path):
    rows = exported(home, tmp_path / "f.csv", billed_only=True, period="2026-10")
    with open_warehouse(tmp_path / "other") as con:
        from anchor_autopatch.job.invoices import import_file

        booked = import_file(con, tmp_path / "f.csv", NOW)

    assert {(entry.provider, entry.total) for entry in booked} == {
        ("gemini", usd("100.00")),
        ("openai", usd("5.01")),
        ("xai", usd("1.01")),
        ("anthropic", usd("11.00")),
    }
    assert sum(entry.lines for entry in booked) == len(rows)


# -- the checks themselves --


@pytest.fixture
def charge(home):
    """Makes one change to the rows to be exported; returns what the checks say."""

    def changed(change):
        with duckdb.connect(str(home / REPORT_FILE), read_only=True) as con:
            con.execute("CREATE TEMP TABLE charge AS FROM focus_cost_and_usage")
            con.execute(change)
            return {fault.partition(":")[0] for fault in check_focus(con)}

    return changed


def test_an_export_breaks_no_rule(charge):
    assert charge("SELECT 1") == set()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE charge SET InvoiceIssuerName = NULL", "A mandatory column is NULL"),
        (
            "UPDATE charge SET ChargeCategory = 'Spend'",
            "A value is not of the list that FOCUS allows",
        ),
        (
            "UPDATE charge SET BillingCurrency = 'usd'",
            "A value is not of the list that FOCUS allows",
        ),
        (
            "UPDATE charge SET ChargePeriodEnd = ChargePeriodStart",
            "A charge period is not within its billing period",
        ),
        ("UPDATE charge SET PricingUnit = NULL", "A quantity lacks its unit, or usage its price"),
        (
            "UPDATE charge SET ListCost = ListCost + 1",
            "A unit price times its quantity is not the cost",
        ),
        (
            "UPDATE charge SET AllocatedResourceId = NULL",
            "An allocated charge lacks its method or its receiver, or tags are no object",
        ),
        (
            "UPDATE charge SET BilledCost = BilledCost + 0.01 WHERE x_Service = 'search'",
            "The rows of an invoice do not sum to it",
        ),
        (
            "DELETE FROM charge WHERE ChargeClass IS NOT NULL AND BilledCost < 0",
            "The corrections of an invoice do not sum to zero",
        ),
        (
            "DELETE FROM charge WHERE x_Bucket IS NOT NULL",
            "The rows of an invoice do not sum to it",
        ),
    ],
)
def test_a_row_that_breaks_a_rule_is_told(charge, change, rule):
    assert rule in charge(change)


def test_a_broken_rule_writes_nothing(home, tmp_path):
    shutil.copy(home / REPORT_FILE, tmp_path / REPORT_FILE)
    with duckdb.connect(str(tmp_path / REPORT_FILE)) as con:
        con.execute("UPDATE focus_cost_and_usage SET BilledCost = 0 WHERE x_Service = 'search'")
    (tmp_path / "f.csv").write_text("as it was")

    with pytest.raises(StoreError, match="The rows of an invoice do not sum to it: 'G-1 "):
        export_focus(tmp_path, tmp_path / "f.csv", kind="csv")

    assert (tmp_path / "f.csv").read_text() == "as it was"
    assert sorted(tmp_path.glob("[!w]*")) == [tmp_path / "f.csv", tmp_path / REPORT_FILE]


# -- the command --


def test_the_command_says_what_it_wrote(home, tmp_path, capsys):
    path = tmp_path / "focus.csv"

    assert main(["export", "focus", "--home", str(home), "--output", str(path)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{path}: rows: 1, sum 5.01 EUR",
        f"{path}: rows: 10, sum 119.01 USD",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "f.xlsx"], "Cannot tell the format of 'f.xlsx'; name it .csv or .parquet"),
        (["--output", "f.csv", "--period", "2020-01"], "No cost is known of period '2020-01';"),
        (["--output", "none/f.csv"], "Cannot write 'none/f.csv':"),
    ],
)
def test_what_cannot_be_exported_is_told(home, capsys, words, message):
    assert main(["export", "focus", "--home", str(home), *words]) == 2

    assert capsys.readouterr().err.startswith(f"anchor: {message}")


def test_without_a_report_the_mend_is_told(tmp_path, capsys):
    assert main(["export", "focus", "--home", str(tmp_path), "--output", "f.csv"]) == 2

    assert "run anchor reconcile first" in capsys.readouterr().err
