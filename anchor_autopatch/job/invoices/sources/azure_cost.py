"""Azure Cost Management export of ACTUAL cost: rows of Azure OpenAI and Foundry, CSV or Parquet.

A daily file of the month to date, overwritten each day (Microsoft documentation, read 2026-11), in
UTC days. `costInBillingCurrency` is what is billed; `costInPricingCurrency` and `costInUsd` are the
same money converted. Quantities come in the scale of `unitOfMeasure`, such as 1K. A resource is an
account, not a deployment. An amortized export spreads reservations and does not sum to the bill.
"""

from __future__ import annotations

from datetime import timedelta
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
from anchor_autopatch.job.invoices.formats.services import azure_sku, provider_of_service
from anchor_autopatch.job.invoices.formats.tables import Row, require_columns
from anchor_autopatch.job.invoices.landing import InvoiceLine, landed
from anchor_autopatch.job.invoices.reading import Landed, Source
from anchor_autopatch.job.invoices.values import parse_amount, parse_currency

if TYPE_CHECKING:
    from anchor_autopatch.job.invoices.findings import Findings
    from anchor_autopatch.job.invoices.formats.payloads import Payload
    from anchor_autopatch.job.invoices.values import Context

__all__ = ("SOURCE",)

_NAME = "azure-cost"
_REQUIRED = ("date", "costinbillingcurrency", "metercategory", "metername")
_CATEGORIES = {
    "usage": "usage",
    "purchase": "commitment",
    "refund": "refund",
    "adjustment": "adjustment",
    "tax": "tax",
    "roundingadjustment": "rounding",
}
_AMORTIZED = ("unusedreservation", "unusedsavingsplan")
_DAY = timedelta(days=1)


def _recognises(payload: Payload) -> bool:
    return payload.table is not None and "costinbillingcurrency" in payload.table.header


def _read(payload: Payload, context: Context, findings: Findings) -> Landed:
    if payload.table is None or not require_columns(payload.table, _REQUIRED, findings):
        return Landed()
    charges, left_out = [], LeftOut()
    for row in payload.table.rows:
        try:
            charge = _charge(row, context)
        except ValueError as error:
            findings.add(row.number, str(error))
            continue
        if _provider(row) == "azure":
            charges.append(charge)
        else:
            left_out.add(row.get("metercategory"), charge.line.amount, charge.line.currency)
    if not charges and not findings:
        findings.add(None, "No row is of Azure OpenAI or Foundry; export the month with them")
    return Landed(snapshots(_NAME, charges, context, findings), notes=left_out.notes())


SOURCE = Source(_NAME, _recognises, _read)


def _provider(row: Row) -> str | None:
    return provider_of_service(f"{row.get('metercategory')} / {row.get('metersubcategory')}")


def _charge(row: Row, context: Context) -> Charge:
    day = instant_of(row.get("date"))
    period, _, _ = month_of(row.get("billingperiodstartdate") or row.get("date"))
    # The billing profile gets the invoice; older agreements know the account only.
    account = row.get("billingprofileid", "billingaccountid") or context.account
    kind = row.get("chargetype").lower() or "usage"
    if kind in _AMORTIZED:
        raise ValueError(
            f"Charge type {row.get('chargetype')!r} is of an amortized export, which does not sum "
            "to the invoice; export actual cost"
        )
    if kind not in _CATEGORIES:
        raise ValueError(
            f"Unknown charge type {row.get('chargetype')!r}; known: {', '.join(_CATEGORIES)}"
        )
    sku = azure_sku(row.get("metername"))
    quantity, unit = quantity_of(row.get("quantity"), row.get("unitofmeasure"))
    text = row.get("costinbillingcurrency")
    line = InvoiceLine(
        amount=landed(parse_amount(text)),
        amount_text=text,
        currency=parse_currency(row.get("billingcurrency", "billingcurrencycode")),
        period_start=day,
        period_end=day + _DAY,
        charge_category=_CATEGORIES[kind],
        description=row.get("metername") or None,
        service=row.get("metercategory") or None,
        model_raw=sku.model,
        meter=sku.meter,
        tier=sku.tier,
        region=row.get("resourcelocation") or sku.region,
        project=row.get("resourceid", "instanceid", "subscriptionid") or None,
        tags=tags_of(row.get("tags")),
        quantity=quantity,
        quantity_unit=unit,
        is_final=bool(row.get("invoiceid")),
        row=row.number,
    )
    return Charge(context.provider or "azure", account, period, line)
