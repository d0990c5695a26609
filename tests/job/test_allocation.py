"""Every invoice is divided over the receipts that caused it, to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anchor_autopatch.job.allocation import KeyMap, allocate_open_periods, allocating
from anchor_autopatch.job.invoices import TypedTotal, add_total
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, UNITS, add_call, allocate, bill, insert, split, usd

LINES = (
    "invoice_id,provider,period,amount,currency,model,meter,project,api_key,charge_category,line_id"
)
SPLITS = ("app", "feature", "user", "request")


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def rows(con, sql):
    return con.execute(sql).fetchall()


def test_hundred_dollars_of_gemini_are_84_and_16(con, tmp_path):
    for number in range(3):
        add_call(con, f"image{number}", "imagegen", "0.28", model="gemini-image")
    for number in range(4):
        add_call(con, f"chat{number}", "chatbot", "0.04")

    bill(con, tmp_path, "G-1,gemini,2026-10,100.00,USD")
    allocate(con)

    assert split(con) == {"imagegen": usd("84.00"), "chatbot": usd("16.00")}


def test_the_18200_dollar_bill_splits_in_four(con):
    estimates = {"summarise": "7.40", "search": "5.70", "support": "3.80", "billing": "1.30"}
    for service, cost in estimates.items():
        add_call(con, service, service, cost, provider="openai", model="gpt-4o-2024-08-06")

    add_total(con, TypedTotal("openai", "2026-10", "18200.00", "USD"), NOW)
    allocate(con)

    assert split(con) == {
        "summarise": usd("7400"),
        "search": usd("5700"),
        "support": usd("3800"),
        "billing": usd("1300"),
    }


TIERED = "invoice_id,provider,period,amount,currency,model,meter,tier,line_id"


def test_a_line_of_a_tier_goes_to_calls_of_that_tier(con, tmp_path):
    add_call(con, "r1", "nightly", "1", tier="batch")
    add_call(con, "r2", "chatbot", "1")

    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,10.00,USD,gemini-3.8-flash,input,batch,L1",
        "G-1,gemini,2026-10,30.00,USD,gemini-3.8-flash,input,,L2",
        header=TIERED,
    )
    allocate(con)

    assert split(con) == {"nightly": usd("10.00"), "chatbot": usd("30.00")}
    assert rows(con, "SELECT DISTINCT match_level FROM line_match") == [("model+meter+tier",)]


def test_lines_without_any_tier_mean_every_tier(con, tmp_path):
    add_call(con, "r1", "nightly", "1", tier="batch")
    add_call(con, "r2", "chatbot", "1")

    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD,gemini-3.8-flash,input,,L1", header=TIERED)
    allocate(con)

    assert split(con) == {"nightly": usd("5.00"), "chatbot": usd("5.00")}


def test_a_project_outranks_a_tier(con, tmp_path):
    add_call(con, "r1", "shop", "1", api_key_id="k1")
    add_call(con, "r2", "nightly", "1", tier="batch")

    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,10.00,USD,gemini-3.8-flash,input,batch,p1,L1",
        header=TIERED.replace("tier,", "tier,project,"),
    )
    allocate_open_periods(con, NOW, keys=KeyMap({"k1": "p1"}, {}))

    assert split(con) == {"shop": usd("10.00"), "nightly": usd("0.00")}
    assert rows(con, "SELECT match_level FROM line_match") == [("project+model+meter",)]


@pytest.mark.parametrize("by", SPLITS)
def test_each_split_sums_to_the_invoice(con, tmp_path, by):
    for number in range(7):
        ids = {"feature": f"f{number % 3}", "user_id": f"u{number % 2}", "request_id": f"q{number}"}
        add_call(con, f"r{number}", f"s{number % 5}", f"0.0{number + 1}", **ids)

    bill(con, tmp_path, "G-1,gemini,2026-10,100.01,USD")
    allocate(con)

    assert sum(split(con, by).values()) == usd("100.01")


def test_receipts_carry_their_unrounded_share_and_its_line(con, tmp_path):
    for receipt_id in ("r1", "r2", "r3"):
        add_call(con, receipt_id, "chatbot", "0.01")

    bill(con, tmp_path, "G-1,gemini,2026-10,1.00,USD,,,,,,L1", header=LINES)
    allocate(con)

    share = (Decimal("0.333333333333333333"), "USD", "G-1", "G-1:L1", "provider")
    assert (
        rows(
            con,
            "SELECT anchored_cost, anchored_currency, invoice_id, invoice_line_id, match_level"
            " FROM receipt_anchor",
        )
        == [share] * 3
    )


def test_a_line_goes_to_the_model_and_meter_that_it_names(con, tmp_path):
    add_call(con, "r1", "long", {"input_tokens": "9", "output_tokens": "1"}, model="gemini-pro")
    add_call(con, "r2", "wordy", {"input_tokens": "1", "output_tokens": "9"}, model="gemini-pro")
    add_call(con, "r3", "other", "50", model="gemini-flash")

    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,10.00,USD,gemini-pro,input,,,,",
        "G-1,gemini,2026-10,20.00,USD,gemini-pro,output,,,,",
        "G-1,gemini,2026-10,5.00,USD,gemini-flash,,,,,",
        header=LINES,
    )
    allocate(con)

    assert split(con) == {"long": usd("11.00"), "wordy": usd("19.00"), "other": usd("5.00")}
    assert rows(con, "SELECT match_level FROM line_match ORDER BY amount") == [
        ("model",),
        ("model+meter",),
        ("model+meter",),
    ]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("gemini-pro,output,,key-9,,", "key+model+meter"),
        ("gemini-pro,output,,provider-key,,", "key+model+meter"),
        ("gemini-pro,output,search,,,", "project+model+meter"),
        ("gemini-pro,output,elsewhere,,,", "model+meter"),
        ("gemini-pro,web_search,,,,", "model"),
        ("gemini-unseen,output,,,,", "provider"),
        (",output,,,,", "meter"),
        (",,,,,", "provider"),
    ],
)
def test_a_line_matches_as_finely_as_it_can(con, tmp_path, line, level):
    add_call(con, "r1", "app", {"output_tokens": "1"}, model="gemini-pro", api_key_id="key-9")
    keys = KeyMap(projects={"key-9": "search"}, keys={"key-9": "provider-key"})

    bill(con, tmp_path, f"G-1,gemini,2026-10,10.00,USD,{line}", header=LINES)
    allocate_open_periods(con, NOW, keys=keys)

    assert rows(con, "SELECT match_level FROM line_match") == [(level,)]


def test_a_line_of_one_key_is_paid_by_its_application(con, tmp_path):
    add_call(con, "r1", "mine", "1", api_key_id="key-1")
    add_call(con, "r2", "theirs", "9", api_key_id="key-2")

    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD,,,,key-1,,", header=LINES)
    allocate(con)

    assert split(con) == {"mine": usd("10.00"), "theirs": usd("0.00")}


def test_an_invoice_without_receipts_is_unallocated(con, tmp_path):
    add_call(con, "r1", "chatbot", "1")

    bill(con, tmp_path, "X-1,xai,2026-10,5.00,USD")
    report = allocate(con)

    assert split(con) == {"__unallocated": usd("5.00")}
    assert report.needs_person


def test_receipts_without_an_invoice_stay_visible_as_estimates(con):
    add_call(con, "r1", "chatbot", "1.25")

    allocate(con)

    assert rows(
        con, "SELECT invoice_id, calls, estimated_cost_usd, anchored_cost, status FROM app_cost"
    ) == [(None, 1, usd("1.25"), None, "estimated")]
    assert rows(con, "SELECT invoice_id, estimated_total_usd, status FROM reconciliation") == [
        (None, usd("1.25"), "open")
    ]


def test_what_the_breakdown_leaves_is_a_rounding_row(con, tmp_path):
    add_call(con, "r1", "chatbot", "1")
    bill(con, tmp_path, "G-1,gemini,2026-10,99.97,USD,gemini-3.8-flash,,,,,", header=LINES)

    add_total(con, TypedTotal("gemini", "2026-10", "100.00", "USD"), NOW)
    allocate(con)

    assert split(con) == {"chatbot": usd("99.97"), "__rounding": usd("0.03")}
    assert rows(con, "SELECT rounding FROM reconciliation") == [(usd("0.03"),)]


def test_a_credit_line_reduces_what_it_names(con, tmp_path):
    add_call(con, "r1", "pro", "1", model="gemini-pro")
    add_call(con, "r2", "flash", "1", model="gemini-flash")

    bill(
        con,
        tmp_path,
        "G-1,gemini,2026-10,20.00,USD,,,,,,",
        "G-1,gemini,2026-10,-3.33,USD,gemini-pro,,,,credit,",
        header=LINES,
    )
    allocate(con)

    assert split(con) == {"pro": usd("6.67"), "flash": usd("10.00")}


def test_usage_that_no_receipt_explains_is_carved_out_first(con, tmp_path):
    add_call(con, "r1", "chatbot", {"output_tokens": "1"}, model="gemini-pro")
    scope = {"provider": "gemini", "account": "", "period": "2026-10"}
    counted = {"model_raw": "gemini-pro", "meter": "output", "quantity": 4 * UNITS}
    insert(con, "usage_evidence", **scope, **counted, document_sha256="test")

    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD,gemini-pro,output,,,,", header=LINES)
    allocate(con)

    assert split(con) == {"chatbot": usd("2.50"), "__untracked": usd("7.50")}


def test_unpriced_receipts_weigh_by_their_tokens(con, tmp_path):
    add_call(con, "r1", "priced", "3")
    add_call(con, "r2", "new", {"input_tokens": None}, model="gemini-next")

    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD")
    allocate(con)

    assert split(con) == {"priced": usd("5.00"), "new": usd("5.00")}
    assert rows(con, "SELECT weight_basis FROM line_match") == [("tokens",)]


def test_calls_that_cost_nothing_share_by_tokens(con, tmp_path):
    add_call(con, "r1", "one", {"input_tokens": "0"})
    add_call(con, "r2", "three", {"input_tokens": "0", "output_tokens": "0", "images": "0"})

    bill(con, tmp_path, "G-1,gemini,2026-10,4.00,USD")
    allocate(con)

    assert split(con) == {"one": usd("1.00"), "three": usd("3.00")}


def test_calls_without_any_usage_share_evenly(con, tmp_path):
    for receipt_id in ("r1", "r2", "r3"):
        add_call(con, receipt_id, receipt_id, {})

    bill(con, tmp_path, "G-1,gemini,2026-10,1.00,USD")
    allocate(con)

    assert split(con) == {"r1": usd("0.34"), "r2": usd("0.33"), "r3": usd("0.33")}
    assert rows(con, "SELECT weight_basis FROM line_match") == [("calls",)]


def test_calls_that_are_not_billable_carry_nothing(con, tmp_path):
    add_call(con, "r1", "chatbot", "1")
    add_call(con, "r2", "poller", "1", billable=False)

    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD")
    allocate(con)

    assert split(con) == {"chatbot": usd("10.00")}


def test_the_month_of_a_receipt_is_that_of_its_start_in_utc(con, tmp_path):
    add_call(con, "r1", "last", "1", occurred_at="2026-10-31 23:59:59")
    add_call(con, "r2", "first", "1", occurred_at="2026-11-01")

    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD", "G-2,gemini,2026-11,20.00,USD")
    allocate(con)

    assert split(con) == {"last": usd("10.00"), "first": usd("20.00")}


def test_accounts_are_paid_by_their_own_invoices(con, tmp_path):
    add_call(con, "r1", "prod", "1", provider_account="prod")
    add_call(con, "r2", "lab", "1", provider_account="lab")
    add_call(con, "r3", "rest", "1", provider_account="unknown")
    header = "invoice_id,provider,period,amount,currency,account"

    accounts = (
        "P,gemini,2026-10,10,USD,prod",
        "L,gemini,2026-10,5,USD,lab",
        "R,gemini,2026-10,1,USD,",
    )
    bill(con, tmp_path, *accounts, header=header)
    allocate(con)

    assert split(con) == {"prod": usd("10"), "lab": usd("5"), "rest": usd("1")}


def test_the_only_invoice_pays_for_unmapped_keys_too(con, tmp_path):
    add_call(con, "r1", "chatbot", "1")
    header = "invoice_id,provider,period,amount,currency,account"

    bill(con, tmp_path, "P,gemini,2026-10,10,USD,prod", header=header)
    allocate(con)

    assert split(con) == {"chatbot": usd("10")}


def test_yen_split_in_whole_yen(con, tmp_path):
    for receipt_id in ("r1", "r2", "r3"):
        add_call(con, receipt_id, receipt_id, "1")

    bill(con, tmp_path, "G-1,gemini,2026-10,1000,JPY")
    allocate(con)

    assert split(con) == {"r1": usd("334"), "r2": usd("333"), "r3": usd("333")}
    assert rows(con, "SELECT variance, flagged FROM reconciliation") == [(None, False)]


def test_the_largest_sums_in_the_smallest_units_still_tie(con, tmp_path):
    for receipt_id, cost in (("r1", "30000000"), ("r2", "20000000"), ("r3", "0.01")):
        add_call(con, receipt_id, receipt_id, cost)

    bill(con, tmp_path, "G-1,gemini,2026-10,900000000000,IDR")
    allocate(con)

    shares = split(con)
    assert sum(shares.values()) == usd("900000000000")
    assert shares["r3"] == pytest.approx(usd("180"), abs=usd("0.01"))


@pytest.mark.parametrize(
    ("total", "estimate", "threshold", "flagged"),
    [
        ("60000.00", "64200", "1800", True),
        ("18000.00", "18540", "540", False),
        ("18000.00", "18540.01", "540", True),
        ("1000.00", "1500", "500", False),
        ("1000.00", "499", "500", True),
    ],
    ids=["7 % of 60,000", "at 3 %", "above 3 %", "at 500", "below by more than 500"],
)
def test_variance_beyond_the_threshold_is_flagged(
    con, tmp_path, total, estimate, threshold, flagged
):
    add_call(con, "r1", "chatbot", estimate)

    bill(con, tmp_path, f"G-1,gemini,2026-10,{total},USD")
    allocate(con)

    variance = usd(estimate) - usd(total)
    percent = variance / usd(total) * 100
    assert rows(
        con, "SELECT variance, variance_percent, threshold, flagged, status FROM reconciliation"
    ) == [
        (
            variance,
            pytest.approx(percent, abs=Decimal("1e-6")),
            usd(threshold),
            flagged,
            "reconciled",
        )
    ]


def test_plain_tokens_weigh_what_their_usage_lines_cost(con, tmp_path):
    add_call(con, "r1", "a", {"input_tokens": "1", "output_tokens": "0.3"})
    add_call(con, "r2", "b", {"input_tokens": "1", "images": "3", "output_tokens": "0"})
    add_call(con, "r3", "c", {"cache_read_tokens": "1", "cache_write_1h_tokens": "2"})
    add_call(con, "r4", "d", {"input_tokens": None})
    add_call(con, "r5", "e", {"output_reasoning_tokens": "5", "pages": "2"})
    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD")

    # The same figures twice: how they are made quickly, and what they are by definition.
    allocating._run(con, "keep_frozen")
    allocating._weigh(con, allocating.NO_POLICIES)
    lines = rows(
        con,
        "SELECT meter, sum(CAST(quantity * 1000000 AS HUGEINT)), sum(CASE"
        " WHEN estimated_cost_usd IS NOT NULL THEN femto_usd(coalesce(cost_usd, 0)) END)"
        " FROM usage_line JOIN receipt_price USING (receipt_id) GROUP BY 1 ORDER BY 1",
    )

    assert lines == rows(
        con,
        "SELECT meter, sum(micro_quantity), sum(cost_femto) FROM covered_usage"
        " GROUP BY 1 ORDER BY 1",
    )
    assert rows(con, "SELECT count(*) FROM plain_group") == [(2,)]


def test_allocating_twice_changes_nothing(con, tmp_path):
    tables = ("cost_split", "receipt_anchor", "line_match", "reconciliation")
    for number in range(5):
        add_call(con, f"r{number}", f"s{number}", f"0.{number + 1}")
    bill(con, tmp_path, "G-1,gemini,2026-10,10.01,USD")

    allocate(con)
    first = [rows(con, f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    allocate(con)

    assert [rows(con, f"SELECT * FROM {table} ORDER BY ALL") for table in tables] == first


def test_a_frozen_period_is_left_alone(con, tmp_path):
    add_call(con, "r1", "chatbot", "1")
    bill(con, tmp_path, "G-1,gemini,2026-10,10.00,USD")
    allocate(con)
    con.execute("UPDATE reconciliation SET status = 'frozen'")

    add_call(con, "r2", "late", "1")
    allocate(con)

    assert split(con) == {"chatbot": usd("10.00")}
    assert rows(con, "SELECT status FROM reconciliation") == [("frozen",)]


def test_no_receipts_and_no_invoices_are_no_error(con):
    assert allocate(con).rows == ()


def test_no_money_is_a_binary_fraction(con):
    columns = "SELECT table_name, column_name FROM information_schema.columns"

    assert rows(con, f"{columns} WHERE data_type IN ('DOUBLE', 'FLOAT')") == []
