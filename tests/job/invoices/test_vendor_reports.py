"""xAI, OpenRouter and Anthropic analytics: money in the unit of each, never taken for another."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from anchor_autopatch.job.invoices.landing import Authority
from tests.job.billed import usd
from tests.job.invoices.files import landed, lines, sample, save, told

DAY = datetime(2026, 10, 12)  # noqa: DTZ001 # UTC, as the warehouse has it


def preview(*amounts, total=None, **fields):
    """An xAI invoice preview; amounts in cents, as texts."""
    listed = [
        {
            "description": "grok-4.5",
            "unitType": "Prompt text tokens",
            "numUnits": "9",
            "amount": amount,
        }
        for amount in amounts
    ]
    whole = str(sum(map(int, amounts))) if total is None else total
    core = {"lines": listed, "totalWithCorr": {"val": whole}, **fields}
    return {"coreInvoice": core, "billingCycle": {"year": 2026, "month": 10}}


def analytics(*points, limit=False, **asked):
    """xAI usage of one series, saved with its request; points are (timestamp, dollars)."""
    request = {
        "timeRange": {
            "startTime": "2026-10-12 00:00:00",
            "endTime": "2026-10-13 23:59:59",
            "timezone": "Etc/GMT",
        },
        "timeUnit": "TIME_UNIT_DAY",
        "values": [{"name": "usd", "aggregation": "AGGREGATION_SUM"}],
        "groupBy": ["api_key_id", "description", "unit_type"],
    } | asked
    series = {
        "group": ["key_1", "grok-4.5", "Completion text tokens"],
        "dataPoints": [{"timestamp": when, "values": [value]} for when, value in points],
    }
    response = {"timeSeries": [series], "limitReached": limit}
    return {"request": {"analyticsRequest": request}, "response": response}


def activity(**fields):
    row = {
        "date": "2026-10-12",
        "model": "openai/gpt-5",
        "model_permaslug": "openai/gpt-5-2025-08-07",
        "endpoint_id": "e-1",
        "provider_name": "OpenAI",
        "usage": 0.015,
        "byok_usage_inference": 0.012,
        "requests": 5,
    }
    return row | fields


def analytics_cost(count=1, **fields):
    result = {"amount": "250", "currency": "USD", "cost_type": "tokens", "rbac_group_id": None}
    bucket = {
        "starting_at": "2026-10-12T00:00:00Z",
        "ending_at": "2026-10-13T00:00:00Z",
        "results": [result | fields] * count,
    }
    return {"data": [bucket], "has_more": False}


# -- xAI invoice --


def test_xai_invoice_counts_whole_cents():
    (invoice,) = landed(sample("xai_invoice_preview.json")).invoices

    assert (invoice.provider, invoice.period, invoice.total) == ("xai", "2026-10", usd("3.71"))
    (line,) = invoice.lines
    assert (line.model_raw, line.meter, line.quantity) == ("grok-4.5", "input", Decimal(1_234_567))


def test_xai_prepaid_credits_are_cash_and_do_not_lower_the_anchor():
    assert landed(sample("xai_invoice_preview.json")).notes == (
        "of this 3.71 USD were paid by prepaid credits",
    )


def test_xai_corrections_are_a_line_of_their_own(tmp_path):
    found = lines(save(tmp_path, preview("100", "50", total="140")), "charge_category", "amount")

    assert found == [("usage", usd("1")), ("usage", usd("0.5")), ("adjustment", usd("-0.1"))]


@pytest.mark.parametrize("amount", ["3.71", "", "$3"])
def test_xai_dollars_for_cents_do_not_pass(tmp_path, amount):
    payload = preview("1")
    payload["coreInvoice"]["lines"][0]["amount"] = amount

    assert told(save(tmp_path, payload)) == [
        f"amount of line 1 is {amount!r}, no text of whole cents; save the preview as it is"
    ]


def test_xai_cents_as_a_number_do_not_pass(tmp_path):
    payload = preview("1")
    payload["coreInvoice"]["lines"][0]["amount"] = 371

    assert told(save(tmp_path, payload))[0].startswith("amount of line 1 is '371', no text")


def test_an_xai_invoice_without_a_cycle_does_not_pass(tmp_path):
    assert told(save(tmp_path, preview("1") | {"billingCycle": {"year": 2026}})) == [
        "billingCycle is {'year': '2026'}; expected a year and a month"
    ]


# -- xAI usage --


def test_xai_usage_counts_float_dollars():
    (invoice,) = landed(sample("xai_usage.json")).invoices

    assert (invoice.total, invoice.period) == (usd("3.71"), "2026-10")
    (line,) = invoice.lines
    assert (line.model_raw, line.meter, line.api_key) == ("grok-4.5", "input", "key_1")


def test_xai_usage_speaks_of_all_days_asked_for(tmp_path):
    payload = analytics(("2026-10-12T00:00:00Z", 0.1 + 0.2), ("2026-10-13T00:00:00Z", 0))

    (invoice,) = landed(save(tmp_path, payload)).invoices

    assert [line.amount for line in invoice.lines] == [usd("0.3")]
    assert invoice.days == (
        (DAY, DAY + timedelta(days=1)),
        (DAY + timedelta(days=1), DAY + timedelta(days=2)),
    )


def test_the_xai_invoice_outranks_its_usage(tmp_path):
    (usage,) = landed(save(tmp_path, analytics())).invoices
    (invoice,) = landed(save(tmp_path, preview("1"))).invoices

    assert (usage.authority, invoice.authority) == (Authority.COST_API, Authority.INVOICE_FILE)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (analytics(limit=True), "limitReached is true: groups were left out; ask for fewer days"),
        (
            analytics(
                timeRange={
                    "startTime": "2026-10-12 00:00:00",
                    "endTime": "2026-10-12 23:59:59",
                    "timezone": "America/New_York",
                }
            ),
            "Days of time zone 'America/New_York' are no UTC days; ask for Etc/GMT",
        ),
        (
            analytics(("2026-10-20T00:00:00Z", 1.5)),
            "Data point 2026-10-20 00:00:00 is not of the days asked for; save it as it is",
        ),
        (
            analytics(("2026-10-12T00:00:00Z", "1.5")),
            "Value '1.5' of 2026-10-12 00:00:00 is no number; save the answer as it is",
        ),
        (
            analytics(groupBy=["description"]),
            "Group ['key_1', 'grok-4.5', 'Completion text tokens'] does not fit groupBy "
            "['description']; save them together",
        ),
        (
            analytics(timeUnit="TIME_UNIT_MONTH"),
            "timeUnit is 'TIME_UNIT_MONTH'; ask for TIME_UNIT_DAY",
        ),
    ],
)
def test_xai_usage_that_cannot_be_trusted_does_not_pass(tmp_path, payload, message):
    assert told(save(tmp_path, payload)) == [message]


# -- OpenRouter --


def test_openrouter_charges_without_what_ones_own_keys_paid():
    (invoice,) = landed(sample("openrouter_activity.json")).invoices

    assert (invoice.provider, invoice.period, invoice.lines[0].amount) == (
        "openrouter",
        "2026-10",
        usd("0.015"),
    )
    assert (invoice.lines[0].model_raw, invoice.lines[0].quantity) == ("openai/gpt-5", Decimal(5))


def test_openrouter_days_are_utc_days(tmp_path):
    payload = {"data": [activity(), activity(date="2026-10-14 00:00:00")]}

    (invoice,) = landed(save(tmp_path, payload)).invoices

    assert [start.day for start, _ in invoice.days] == [12, 14]


def test_an_openrouter_day_that_has_not_ended_does_not_pass(tmp_path):
    assert told(save(tmp_path, {"data": [activity(date="2026-11-22")]})) == [
        "Day 2026-11-22 has not ended; ask for completed days ('openai/gpt-5')"
    ]


def test_an_openrouter_answer_twice_does_not_pass(tmp_path):
    answer = {"data": [activity()]}

    assert told(save(tmp_path, json.dumps([answer, answer]))) == [
        "Day 2026-10-12 has an endpoint twice; save each answer once"
    ]


def test_openrouter_dollars_as_text_do_not_pass(tmp_path):
    assert told(save(tmp_path, {"data": [activity(usage="0.015")]}))[0] == (
        "usage is '0.015', no JSON number; save the activity as it is ('openai/gpt-5')"
    )


# -- Anthropic analytics --


def test_analytics_amounts_are_cents_with_the_list_amount_beside():
    (invoice,) = landed(sample("anthropic_analytics_cost.json")).invoices

    (line,) = invoice.lines
    assert (invoice.source, line.amount, line.list_amount) == (
        "anthropic-analytics",
        usd("98.7125"),
        usd("100"),
    )


def test_overlapping_groups_do_not_pass(tmp_path):
    assert told(save(tmp_path, analytics_cost(rbac_group_id="g-1"))) == [
        "Day 2026-10-12 is grouped by rbac_group, whose rows overlap; group without it"
    ]


def test_a_hundred_groups_are_not_all_groups(tmp_path):
    assert told(save(tmp_path, analytics_cost(count=100))) == [
        "Day 2026-10-12 has 100 groups, of which the report holds the 100 largest only; "
        "group by fewer dimensions"
    ]
