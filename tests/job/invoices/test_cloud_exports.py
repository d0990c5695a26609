"""Billing exports of clouds land in single units, net of nothing twice, in the month they bill."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import datetime
from decimal import Decimal

import duckdb
import pytest

from anchor_autopatch.job.invoices import RefusedInvoiceError, import_files, list_invoices
from anchor_autopatch.job.invoices.formats.quantities import quantity_of
from anchor_autopatch.job.invoices.formats.services import (
    Sku,
    azure_sku,
    bedrock_sku,
    google_sku,
    provider_of_service,
)
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, usd
from tests.job.invoices.files import landed, lines, sample, save, told


def gcp_row(cost, **fields):
    row = {
        "billing_account_id": "B-1",
        "service": {"description": "Gemini API"},
        "sku": {"description": "Generate content output token count gemini 2.5 flash text"},
        "usage_start_time": "2026-10-12T07:00:00Z",
        "usage_end_time": "2026-10-12T08:00:00Z",
        "cost": cost,
        "currency": "EUR",
        "credits": [],
        "invoice": {"month": "202610"},
        "cost_type": "regular",
    }
    return row | fields


def service(name):
    return {"service": {"description": name}, "sku": {"description": name}}


def json_lines(*rows):
    return "\n".join(map(json.dumps, rows))


def table(**columns):
    """A CSV of one row, or of more where a column is a list."""
    count = max((len(value) for value in columns.values() if isinstance(value, list)), default=1)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for at in range(count):
        values = columns.values()
        writer.writerow([value[at] if isinstance(value, list) else value for value in values])
    return text.getvalue()


def cur(**columns):
    return table(
        **{
            "bill_billing_period_start_date": "2026-10-01 00:00:00.000",
            "bill_payer_account_id": "111122223333",
            "line_item_line_item_type": "Usage",
            "line_item_product_code": "AmazonBedrock",
            "line_item_usage_start_date": "2026-10-12 00:00:00.000",
            "line_item_usage_end_date": "2026-10-13 00:00:00.000",
            "line_item_usage_type": "USE1-claude-sonnet-4-5-output-tokens",
            "line_item_currency_code": "USD",
            "line_item_unblended_cost": "1.5",
        }
        | columns
    )


def azure(**columns):
    return table(
        **{
            "billingPeriodStartDate": "10/01/2026",
            "date": "10/12/2026",
            "chargeType": "Usage",
            "meterCategory": "Azure OpenAI",
            "meterName": "gpt-4o 0806 Batch cchd Inp glbl Tokens",
            "quantity": "2.5",
            "unitOfMeasure": "1K",
            "costInBillingCurrency": "0.42",
            "costInUsd": "0.46",
            "billingCurrency": "EUR",
            "billingProfileId": "BP-1",
            "resourceId": "/accounts/acme-oai",
            "tags": '"team": "search"',
        }
        | columns
    )


def focus(**columns):
    return table(
        **{
            "BilledCost": "12.35",
            "EffectiveCost": "99",
            "BillingCurrency": "USD",
            "BillingPeriodStart": "2026-10-01T00:00:00Z",
            "BillingPeriodEnd": "2026-11-01T00:00:00Z",
            "ChargePeriodStart": "2026-10-12T00:00:00Z",
            "ChargePeriodEnd": "2026-10-13T00:00:00Z",
            "ChargeCategory": "Usage",
            "ServiceName": "Amazon Bedrock",
        }
        | columns
    )


# -- Google Cloud --


def test_google_sample_nets_credits_and_lands_tax_and_rounding():
    (invoice,) = landed(sample("gcp_billing_export_rows.jsonl")).invoices

    assert (invoice.provider, invoice.account) == ("gemini", "010101-F0FFF0-61C528")
    assert (invoice.period, invoice.currency, invoice.total) == ("2026-10", "EUR", usd("12.32"))
    assert [(line.charge_category, line.meter, line.amount) for line in invoice.lines] == [
        ("usage", "input", usd("0.2963")),
        ("credit", "input", usd("-0.05")),
        ("tax", None, usd("12.07")),
        ("rounding", None, usd("0.004")),
    ]


def test_google_quantities_are_single_tokens():
    found = lines(
        sample("gcp_billing_export_rows.jsonl"), "quantity", "model_raw", "project", "tags"
    )

    assert found[0] == (
        Decimal(1_080_000),
        "gemini 2.5 flash",
        "acme-search",
        '{"team": "search"}',
    )


def test_google_months_are_pacific(tmp_path):
    """The last hours of the Pacific month are the first of the next month in UTC."""
    rows = json_lines(
        gcp_row(
            1.0,
            usage_start_time="2026-11-01T05:00:00Z",
            usage_end_time="2026-11-01T06:00:00Z",
        ),
        gcp_row(0.5, cost_type="rounding_error", usage_start_time=None, usage_end_time=None),
    )

    assert lines(save(tmp_path, rows), "period_start", "period_end") == [
        (datetime(2026, 11, 1, 5), datetime(2026, 11, 1, 6)),  # noqa: DTZ001
        (datetime(2026, 10, 1, 7), datetime(2026, 11, 1, 7)),  # noqa: DTZ001
    ]


def test_google_float_artefacts_vanish(tmp_path):
    rows = json_lines(gcp_row(0.1 + 0.2))

    assert lines(save(tmp_path, rows), "amount", "amount_text") == [
        (usd("0.3"), "0.30000000000000004")
    ]


def test_google_tax_is_shared_with_services_that_are_left_out(tmp_path):
    rows = json_lines(
        gcp_row(30.0),
        gcp_row(10.0, **service("Vertex AI")),
        gcp_row(60.0, **service("Compute Engine")),
        gcp_row(20.0, **service("Invoice"), cost_type="tax"),
    )

    found = landed(save(tmp_path, rows))

    assert [(invoice.provider, invoice.total) for invoice in found.invoices] == [
        ("gemini", usd("36.00")),
        ("vertex_ai", usd("12.00")),
    ]
    assert found.notes == ("left out: 2 rows of other services (Compute Engine, Invoice): 72 EUR",)


def test_google_rows_extracted_twice_do_not_pass(tmp_path):
    assert told(save(tmp_path, json_lines(gcp_row(1.0), gcp_row(1.0)))) == [
        "The row repeats row 1; extract the month once"
    ]


def test_a_truncated_extract_does_not_pass(tmp_path):
    text = json_lines(gcp_row(1.0), gcp_row(2.0))

    (message,) = told(save(tmp_path, text[:-20]))

    assert message.startswith("Not JSON:")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (gcp_row(None), "cost is None, no number; extract the export as it is"),
        (
            gcp_row(1.0, invoice={"month": "2026-10"}),
            "invoice.month is '2026-10'; extract it, such as '202610'",
        ),
        (
            gcp_row(1.0, cost_type="gift"),
            "Unknown cost_type 'gift'; known: regular, tax, adjustment, rounding_error",
        ),
    ],
)
def test_a_google_row_that_cannot_be_read_is_told(tmp_path, row, message):
    assert told(save(tmp_path, json_lines(row)))[0] == message


# -- AWS --


def test_aws_sample_lands_with_tax():
    (invoice,) = landed(sample("aws_cur2_bedrock.csv")).invoices

    assert (invoice.provider, invoice.account) == ("bedrock", "111122223333")
    assert (invoice.period, invoice.currency, invoice.total) == ("2026-10", "USD", usd("5.25"))
    assert [(line.charge_category, line.meter, line.amount) for line in invoice.lines] == [
        ("usage", "input", usd("4.5006")),
        ("usage", "cache_read", usd("0.27")),
        ("tax", None, usd("0.48")),
    ]


def test_aws_quantities_per_1k_become_tokens():
    found = lines(
        sample("aws_cur2_bedrock.csv"), "quantity", "quantity_unit", "model_raw", "region", "tags"
    )

    assert found[0] == (
        Decimal(1_500_200),
        "tokens",
        "claude-sonnet-4-5",
        "us-east-1",
        '{"iamPrincipal/team": "search", "resourceTags/user_team": "search"}',
    )


def test_aws_discounts_are_lines_and_count_once(tmp_path):
    text = cur(
        line_item_line_item_type=["Usage", "EdpDiscount"],
        line_item_unblended_cost=["10", "-1"],
        line_item_net_unblended_cost=["9", "0"],
    )

    (invoice,) = landed(save(tmp_path, text)).invoices

    assert (invoice.total, [line.charge_category for line in invoice.lines]) == (
        usd("9.00"),
        ["usage", "credit"],
    )


def test_aws_marketplace_models_are_bedrock_and_other_services_are_not(tmp_path):
    text = cur(
        line_item_product_code=["4abc", "AmazonEC2"],
        line_item_line_item_description=["Claude Opus (Amazon Bedrock Edition)", "t3.micro"],
        line_item_unblended_cost=["3", "5"],
    )

    found = landed(save(tmp_path, text))

    assert found.invoices[0].total == usd("3.00")
    assert found.notes == ("left out: 1 rows of other services (AmazonEC2): 5 USD",)


def test_aws_lines_are_final_once_the_bill_has_a_number(tmp_path):
    assert lines(save(tmp_path, cur(bill_invoice_id=["", "77"])), "is_final") == [(False,), (True,)]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"line_item_line_item_type": "Gift"},
            "Unknown line_item_line_item_type 'Gift'; known: Usage,",
        ),
        (
            {
                "line_item_usage_start_date": "2026-11-02 00:00:00.000",
                "line_item_usage_end_date": "2026-11-03 00:00:00.000",
            },
            "Usage from 2026-11-02 00:00:00 to 2026-11-03 00:00:00 is not of the billing period "
            "2026-10; export it again",
        ),
        (
            {"identity_line_item_id": ["x", "x"], "identity_time_interval": "2026-10-12"},
            "Line item 'x' repeats row 2; import one export",
        ),
        ({"bill_billing_period_start_date": "2027-01-01"}, "Month '2027-01' has not begun;"),
        ({"line_item_product_code": "AmazonEC2"}, "No row is of Amazon Bedrock;"),
    ],
)
def test_an_aws_row_that_cannot_be_right_is_told(tmp_path, columns, message):
    assert told(save(tmp_path, cur(**columns)))[0].startswith(message)


def test_aws_parquet_with_a_map_of_tags_lands_like_csv(tmp_path):
    path = tmp_path / "cur.parquet"
    duckdb.sql(
        f"""COPY (SELECT
            TIMESTAMP '2026-10-01' AS bill_billing_period_start_date,
            '111122223333' AS bill_payer_account_id,
            'Usage' AS line_item_line_item_type,
            'AmazonBedrock' AS line_item_product_code,
            TIMESTAMP '2026-10-12' AS line_item_usage_start_date,
            TIMESTAMP '2026-10-13' AS line_item_usage_end_date,
            'USE1-nova-pro-input-tokens-batch' AS line_item_usage_type,
            'USD' AS line_item_currency_code,
            2.000000000000001::DOUBLE AS line_item_unblended_cost,
            MAP {{'user_team': 'search'}} AS resource_tags
        ) TO '{path}' (FORMAT parquet)"""
    )

    assert lines(path, "amount", "model_raw", "meter", "tier", "tags") == [
        (usd("2"), "nova-pro", "input", "batch", '{"user_team": "search"}')
    ]


# -- Azure --


def test_azure_amounts_are_of_the_billing_currency_and_tokens_single(tmp_path):
    fields = ("amount", "currency", "quantity", "meter", "tier", "region", "tags")

    assert lines(save(tmp_path, azure()), *fields) == [
        (usd("0.42"), "EUR", Decimal(2500), "cache_read", "batch", "global", '{"team": "search"}')
    ]


def test_azure_invoices_are_by_billing_profile(tmp_path):
    (invoice,) = landed(save(tmp_path, azure())).invoices

    assert (invoice.provider, invoice.account, invoice.period) == ("azure", "BP-1", "2026-10")


def test_an_amortized_azure_export_does_not_pass(tmp_path):
    assert told(save(tmp_path, azure(chargeType="UnusedReservation"))) == [
        "Charge type 'UnusedReservation' is of an amortized export, which does not sum to the "
        "invoice; export actual cost"
    ]


def test_azure_other_services_are_left_out(tmp_path):
    text = azure(meterCategory=["Azure OpenAI", "Storage"], costInBillingCurrency=["1", "2"])

    assert landed(save(tmp_path, text)).notes == (
        "left out: 1 rows of other services (Storage): 2 EUR",
    )


# -- FOCUS --


def test_azure_focus_sample_lands_in_euro():
    (invoice,) = landed(sample("azure_focus_rows.csv")).invoices

    assert (invoice.provider, invoice.period, invoice.currency) == ("azure", "2026-10", "EUR")
    assert invoice.total == usd("12.35")
    (line,) = invoice.lines
    assert (line.model_raw, line.meter, line.quantity, line.is_final) == (
        "gpt 5",
        "input",
        Decimal(9_876_500),
        False,
    )


def test_focus_lands_the_billed_cost_not_the_effective_one(tmp_path):
    assert lines(save(tmp_path, focus()), "amount") == [(usd("12.35"),)]


def test_focus_purchases_and_corrections_have_their_categories(tmp_path):
    text = focus(
        ChargeCategory=["Purchase", "Purchase", "Usage", "Tax", "Credit"],
        ChargeClass=["", "", "Correction", "", ""],
        CommitmentDiscountId=["cd-1", "", "", "", ""],
    )

    assert [category for (category,) in lines(save(tmp_path, text), "charge_category")] == [
        "commitment",
        "fee",
        "adjustment",
        "tax",
        "credit",
    ]


def test_focus_rows_with_invoice_ids_outrank_a_cost_api(tmp_path):
    provisional, final = (
        landed(save(tmp_path, focus(InvoiceId=number))).invoices[0].authority
        for number in ("", "INV-7")
    )

    assert provisional < final


def test_focus_of_an_unknown_service_asks_for_the_provider(tmp_path):
    path = save(tmp_path, focus(ServiceName="Acme Cloud"))

    assert told(path) == ["No row is of a known AI service; name who invoices with --provider"]
    assert landed(path, provider="groq").invoices[0].provider == "groq"


def test_focus_parquet_lands_like_csv(tmp_path):
    source, path = save(tmp_path, focus(Tags='{"team": "x"}')), tmp_path / "focus.parquet"
    duckdb.sql(f"COPY (FROM read_csv('{source}')) TO '{path}' (FORMAT parquet)")

    fields = ("amount", "period_start", "charge_category", "tags")
    assert lines(path, *fields) == lines(source, *fields)


def test_a_broken_parquet_file_is_told(tmp_path):
    path = tmp_path / "focus.parquet"
    path.write_bytes(b"PAR1 and no more")

    (message,) = told(path)
    assert message.startswith("Cannot read it as Parquet:")


def test_gzip_is_unpacked_and_a_broken_one_told(tmp_path):
    path = tmp_path / "focus.csv.gz"
    packed = gzip.compress(focus().encode())
    path.write_bytes(packed)
    whole = lines(path, "amount")
    path.write_bytes(packed[:-12])

    assert whole == [(usd("12.35"),)]
    assert told(path)[0].startswith("Cannot unpack the gzip:")


# -- names --


@pytest.mark.parametrize(
    ("read", "text", "sku"),
    [
        (
            google_sku,
            "Generate content cached content token count gemini 3.8 flash lite text",
            Sku("gemini 3.8 flash lite", "cache_read"),
        ),
        (
            google_sku,
            "Gemini 2.5 Pro Batch Audio Input",
            Sku("gemini 2.5 pro", "input_audio", "batch"),
        ),
        (google_sku, "Claude Sonnet 4.5 output tokens", Sku("claude sonnet 4.5", "output")),
        (google_sku, "N1 core", Sku()),
        (
            bedrock_sku,
            "EUC1-gpt-oss-120b-mantle-input-tokens-flex",
            Sku("gpt-oss-120b", "input", "flex", "eu-central-1"),
        ),
        (
            bedrock_sku,
            "USW2-claude-opus-4-7-cache-write-1h-input-token-count-cross-region-global",
            Sku("claude-opus-4-7", "cache_write_1h", None, "us-west-2"),
        ),
        (bedrock_sku, "USE1-Guardrail-ContentPolicyUnitsConsumed", Sku()),
        (azure_sku, "gpt 5 Inp Data Zone Tokens", Sku("gpt 5", "input", None, "data zone")),
        (
            azure_sku,
            "gpt-4o-mini-0718-Outp-glbl Tokens",
            Sku("gpt-4o-mini-0718", "output", None, "global"),
        ),
        (azure_sku, "Provisioned Managed Global Unit", Sku()),
    ],
)
def test_skus_tell_model_meter_tier_and_region(read, text, sku):
    assert read(text) == sku


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("Gemini API", "gemini"),
        ("Vertex AI", "vertex_ai"),
        ("Amazon Bedrock", "bedrock"),
        ("Azure OpenAI", "azure"),
        ("Cognitive Services", "azure"),
        ("OpenAI", "openai"),
        ("Compute Engine", None),
    ],
)
def test_services_tell_who_invoices(name, provider):
    assert provider_of_service(name) == provider


@pytest.mark.parametrize(
    ("quantity", "unit", "expected"),
    [
        ("1500.2", "1K tokens", (Decimal(1_500_200), "tokens")),
        ("2", "1M Tokens", (Decimal(2_000_000), "tokens")),
        ("3", "1K", (Decimal(3000), "tokens")),
        ("7", "tokens", (Decimal(7), "tokens")),
        ("7", "Hours", (Decimal(7), "hours")),
        ("2", "100 Hours", (Decimal(200), "hours")),
        ("7", "", (Decimal(7), None)),
        ("", "1K", (None, "1K")),
    ],
)
def test_quantities_become_single_units(quantity, unit, expected):
    assert quantity_of(quantity, unit) == expected


# -- into the warehouse --


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_a_later_export_restates_the_month_and_an_older_one_does_not(con, tmp_path):
    older = save(tmp_path, cur(line_item_unblended_cost="1"), "older.csv")
    day_13 = {
        "line_item_usage_start_date": "2026-10-13 00:00:00.000",
        "line_item_usage_end_date": "2026-10-14 00:00:00.000",
        "line_item_unblended_cost": "8",
    }
    import_files(con, [older], NOW)

    (booked,) = import_files(con, [save(tmp_path, cur(**day_13), "newer.csv")], NOW)

    assert (booked.outcome, booked.total) == ("restated", usd("8.00"))
    with pytest.raises(RefusedInvoiceError, match="was imported before to 2026-10-14 00:00:00;"):
        import_files(con, [older], NOW)


def test_parts_of_one_export_are_one_invoice(con, tmp_path):
    parts = [
        save(tmp_path, cur(line_item_usage_type=f"USE1-m{number}-input-tokens"), f"{number}.csv")
        for number in (1, 2)
    ]

    (booked,) = import_files(con, parts, NOW)

    assert (booked.total, booked.lines) == (usd("3.00"), 2)
    documents = con.execute("SELECT count(DISTINCT payload_sha256) FROM invoice_line")
    assert documents.fetchall() == [(2,)]


def test_two_exports_of_one_month_do_not_pass_as_parts(con, tmp_path):
    one = save(tmp_path, cur(), "one.csv")
    two = save(
        tmp_path, cur(line_item_usage_type=["USE1-claude-sonnet-4-5-output-tokens"]), "two.csv"
    )
    two.write_text(two.read_text("utf-8") + "\n", "utf-8")

    with pytest.raises(RefusedInvoiceError, match=r"two.csv: Most lines are in '.*one.csv', too;"):
        import_files(con, [one, two], NOW)

    assert list_invoices(con) == []
