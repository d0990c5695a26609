"""AWS Cost and Usage Report 2.0 (Data Exports): the lines of Amazon Bedrock, CSV or Parquet.

One line per usage type, resource, principal and hour or day (AWS documentation, read 2026-11),
times in UTC. `line_item_unblended_cost` of ALL line types sums to the bill: discounts are lines of
their own, so the net cost of a line would count them twice. Token quantities come in thousands
where `pricing_unit` says so. `bill_invoice_id` stays empty until AWS finalizes the bill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.formats.exports import (
    Charge,
    LeftOut,
    instant_of,
    month_of,
    snapshots,
    tags_of,
)
from anchor_autopatch.job.invoices.formats.quantities import quantity_of
from anchor_autopatch.job.invoices.formats.services import bedrock_sku
from anchor_autopatch.job.invoices.formats.tables import Row, require_columns
from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import parse_amount, parse_currency

if TYPE_CHECKING:
    from datetime import datetime

    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "aws-cur"
_REQUIRED = (
    "bill_billing_period_start_date",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_start_date",
    "line_item_usage_end_date",
    "line_item_usage_type",
    "line_item_currency_code",
    "line_item_unblended_cost",
)
# line_item_line_item_type -> charge category.
_CATEGORIES = {
    "Usage": "usage",
    "DiscountedUsage": "usage",
    "SavingsPlanCoveredUsage": "usage",
    "SavingsPlanNegation": "credit",
    "SavingsPlanRecurringFee": "commitment",
    "SavingsPlanUpfrontFee": "commitment",
    "RIFee": "commitment",
    "Fee": "fee",
    "Tax": "tax",
    "Credit": "credit",
    "EdpDiscount": "credit",
    "BundledDiscount": "credit",
    "PrivateRateDiscount": "credit",
    "Discount": "credit",
    "Refund": "refund",
}
_COMMITTED = "provisionedthroughput"


def _recognises(payload: Payload) -> bool:
    return payload.table is not None and "line_item_line_item_type" in payload.table.header


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    if payload.table is None or not require_columns(payload.table, _REQUIRED, findings):
        return Landed()
    charges, left_out = [], LeftOut()
    seen: dict[tuple[str, str], int] = {}
    for row in payload.table.rows:
        _check_repeat(row, seen, findings)
        try:
            charge = _charge(row, context)
        except ValueError as error:
            findings.add(row.number, str(error))
            continue
        if _is_bedrock(row):
            charges.append(charge)
        else:
            left_out.add(
                row.get("line_item_product_code"), charge.line.amount, charge.line.currency
            )
    if not charges and not findings:
        findings.add(None, "No row is of Amazon Bedrock; export the bill with its Bedrock lines")
    return Landed(snapshots(_NAME, charges, context, findings), notes=left_out.notes())


SOURCE = Source(_NAME, _recognises, _read)


def _check_repeat(row: Row, seen: dict[tuple[str, str], int], findings: Findings) -> None:
    # Unique within an export by AWS's own word; two exports in one file count everything twice.
    key = (row.get("identity_line_item_id"), row.get("identity_time_interval"))
    first = seen.setdefault(key, row.number) if key[0] else row.number
    if first != row.number:
        findings.add(row.number, f"Line item {key[0]!r} repeats row {first}; import one export")


def _is_bedrock(row: Row) -> bool:
    # Models of third parties are billed as marketplace products with codes of their own; only
    # their description says that they were used in Bedrock.
    texts = ("line_item_product_code", "product_servicecode", "line_item_line_item_description")
    return any("bedrock" in row.get(name).lower() for name in texts)


def _charge(row: Row, context: Context) -> Charge:
    period, _, end_of_month = month_of(row.get("bill_billing_period_start_date"))
    start = instant_of(row.get("line_item_usage_start_date"))
    end = instant_of(row.get("line_item_usage_end_date"))
    if not start < end or start >= end_of_month:
        raise ValueError(
            f"Usage from {start} to {end} is not of the billing period {period}; export it again"
        )
    account = row.get("bill_payer_account_id", "line_item_usage_account_id") or context.account
    line = _line(row, start, end)
    return Charge(context.provider or "bedrock", account, period, line)


def _line(row: Row, start: datetime, end: datetime) -> InvoiceLine:
    kind, usage_type = row.get("line_item_line_item_type"), row.get("line_item_usage_type")
    if kind not in _CATEGORIES:
        raise ValueError(
            f"Unknown line_item_line_item_type {kind!r}; known: {', '.join(_CATEGORIES)}"
        )
    sku = bedrock_sku(usage_type)
    committed = _COMMITTED in usage_type.lower() and kind == "Usage"
    quantity, unit = quantity_of(row.get("line_item_usage_amount"), row.get("pricing_unit"))
    text = row.get("line_item_unblended_cost")
    listed = row.get("pricing_public_on_demand_cost")
    return InvoiceLine(
        amount=landed(parse_amount(text)),
        amount_text=text,
        currency=parse_currency(row.get("line_item_currency_code")),
        period_start=start,
        period_end=end,
        charge_category="commitment" if committed else _CATEGORIES[kind],
        description=row.get("line_item_line_item_description") or None,
        service=row.get("line_item_product_code") or None,
        model_raw=sku.model,
        meter=sku.meter,
        tier=sku.tier,
        region=row.get("product_region_code") or sku.region,
        # An application inference profile is the finest owner that a bill names.
        project=row.get("line_item_resource_id", "line_item_usage_account_id") or None,
        user_id=row.get("line_item_iam_principal") or None,
        tags=tags_of(row.get("tags", "resource_tags")),
        quantity=quantity if kind == "Usage" else None,
        quantity_unit=unit if kind == "Usage" else None,
        list_amount=landed(parse_amount(listed)) if listed else None,
        is_final=bool(row.get("bill_invoice_id")),
        row=row.number,
    )
