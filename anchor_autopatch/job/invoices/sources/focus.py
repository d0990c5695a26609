"""FOCUS exports of any cloud or vendor, CSV or Parquet: FinOps Open Cost and Usage Specification.

Versions 1.0 to 1.4 (column definitions of 1.2 read 2026-11). `BilledCost` in `BillingCurrency` is
what the invoice sums; EffectiveCost amortizes and ListCost has no discounts. Times are UTC, ends
exclusive. A row whose ChargeClass is Correction adjusts a period that was invoiced before. Rows
without InvoiceId may be restated.
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
from anchor_autopatch.job.invoices.formats.services import (
    Sku,
    azure_sku,
    bedrock_sku,
    google_sku,
    provider_of_service,
)
from anchor_autopatch.job.invoices.formats.tables import Row, require_columns
from anchor_autopatch.job.invoices.landing import Authority, InvoiceLine, landed
from anchor_autopatch.job.invoices.meters import meter_of
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import parse_amount, parse_currency

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "focus"
_REQUIRED = (
    "billedcost",
    "billingcurrency",
    "billingperiodstart",
    "billingperiodend",
    "chargeperiodstart",
    "chargeperiodend",
    "chargecategory",
)
# FOCUS 1.2 ChargeCategory -> ours.
_CATEGORIES = {
    "Usage": "usage",
    "Purchase": "fee",
    "Tax": "tax",
    "Credit": "credit",
    "Adjustment": "adjustment",
}


def _recognises(payload: Payload) -> bool:
    return payload.table is not None and {"billedcost", "chargecategory"} <= set(
        payload.table.header
    )


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    if payload.table is None or not require_columns(payload.table, _REQUIRED, findings):
        return Landed()
    charges, left_out = [], LeftOut()
    for row in payload.table.rows:
        # Whoever names the provider says that all rows are its own.
        provider = context.provider or _provider(row)
        try:
            charge = _charge(row, provider or "", context)
        except ValueError as error:
            findings.add(row.number, str(error))
            continue
        if provider:
            charges.append(charge)
        else:
            left_out.add(row.get("servicename"), charge.line.amount, charge.line.currency)
    if not charges and not findings:
        findings.add(None, "No row is of a known AI service; name who invoices with --provider")
    return Landed(snapshots(_NAME, charges, context, findings), notes=left_out.notes())


SOURCE = Source(_NAME, _recognises, _read)


def _provider(row: Row) -> str | None:
    names = ("servicename", "serviceprovidername", "providername", "invoiceissuername")
    found = (provider_of_service(row.get(name)) for name in names if row.get(name))
    return next(filter(None, found), None)


def _charge(row: Row, provider: str, context: Context) -> Charge:
    period, _, _ = month_of(row.get("billingperiodstart"))
    billing_end = instant_of(row.get("billingperiodend"))
    start, end = instant_of(row.get("chargeperiodstart")), instant_of(row.get("chargeperiodend"))
    if not start < end or start >= billing_end:
        raise ValueError(
            f"ChargePeriod {start} to {end} is not of the billing period {period}; export it again"
        )
    sku = _sku(row, provider)
    # FOCUS: quantities are in multiples of the unit, and Azure's unit is 1K.
    quantity, unit = quantity_of(
        row.get("consumedquantity", "pricingquantity"), row.get("consumedunit", "pricingunit")
    )
    listed = row.get("listcost")
    line = InvoiceLine(
        amount=landed(parse_amount(row.get("billedcost"))),
        amount_text=row.get("billedcost"),
        currency=parse_currency(row.get("billingcurrency")),
        period_start=start,
        period_end=end,
        charge_category=_category(row),
        description=row.get("chargedescription", "skumeter") or None,
        service=row.get("servicename") or None,
        model_raw=sku.model,
        meter=sku.meter,
        tier=sku.tier,
        region=row.get("regionid") or sku.region,
        project=row.get("resourceid", "subaccountid") or None,
        tags=tags_of(row.get("tags")),
        quantity=quantity,
        quantity_unit=unit,
        list_amount=landed(parse_amount(listed)) if listed else None,
        is_final=bool(row.get("invoiceid")),
        row=row.number,
    )
    authority = Authority.INVOICE_FILE if line.is_final else Authority.COST_API
    account = row.get("billingaccountid") or context.account
    return Charge(provider, account, period, line, authority)


def _category(row: Row) -> str:
    category = row.get("chargecategory")
    if category not in _CATEGORIES:
        raise ValueError(f"Unknown ChargeCategory {category!r}; known: {', '.join(_CATEGORIES)}")
    if row.get("chargeclass").lower() == "correction":
        return "adjustment"
    if category == "Purchase" and row.get("commitmentdiscountid", "commitmentdiscountcategory"):
        return "commitment"
    return _CATEGORIES[category]


def _sku(row: Row, provider: str) -> Sku:
    text = row.get("skumeter", "chargedescription", "skuid")
    if provider == "azure":
        return azure_sku(text)
    if provider in {"gemini", "vertex_ai"}:
        return google_sku(row.get("skumeter") or row.get("chargedescription"))
    if provider == "bedrock":
        return bedrock_sku(row.get("x_usagetype", "skumeter"))
    # Our own exports and those of vendors name the model by itself.
    return Sku(row.get("x_model") or None, meter_of(row.get("skumeter")))
