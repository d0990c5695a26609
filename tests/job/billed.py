"""A warehouse with priced calls and invoices in it, for the tests of invoices and allocation."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zlib import crc32

from anchor_autopatch.job.allocation import allocate_open_periods
from anchor_autopatch.job.invoices import import_file

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
OCTOBER = datetime.fromisoformat("2026-10-12T09:00")
UNITS = 10**9
"""Of each meter in a call; many, since a rate holds at most 99 USD a unit."""
HEADER = "invoice_id,provider,period,amount,currency"


def insert(con, table, **row):
    marks = ", ".join("?" * len(row))
    con.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def add_call(con, receipt_id, service, usd, **fields):
    """One billable call that costs `usd`: one sum, or meter -> USD, UNITS of each."""
    costs = usd if isinstance(usd, dict) else {"input_tokens": usd}
    model = fields.pop("model", "gemini-3.8-flash")
    tier = fields.pop("tier", "standard")
    defaults = {"provider": "gemini", "occurred_at": OCTOBER, "provider_account": ""}
    insert(
        con,
        "receipt",
        **defaults
        | {"receipt_id": receipt_id, "service": service, "response_model": model}
        | {"billable": True, "outbox_id": "o", "writer_seq": 1, "shipped_at": NOW}
        | fields,
    )
    add_meters(con, receipt_id, dict.fromkeys(costs, UNITS), tier)
    rate_id = add_rate(con, costs) if None not in costs.values() else None
    insert(
        con,
        "receipt_price",
        receipt_id=receipt_id,
        resolution_rule="test",
        price_status="unpriced" if rate_id is None else "priced",
        rate_id=rate_id,
        estimated_cost_usd=None if rate_id is None else sum(map(Decimal, costs.values())),
        priced_at=NOW,
    )


def add_meters(con, receipt_id, quantities, tier="standard"):
    insert(
        con,
        "receipt_meters",
        receipt_id=receipt_id,
        meter_version=1,
        measured_at=NOW,
        total_tokens=sum(quantities.values()),
        usage_mismatch=False,
        tier=tier,
        image_variant="",
        **quantities,
    )


def add_rate(con, costs):
    """A rate that makes UNITS of each meter cost the given USD."""
    rate_id = crc32(repr(sorted(costs.items())).encode())
    known = con.execute("SELECT 1 FROM rate WHERE rate_id = ?", [rate_id]).fetchone()
    if known is None:
        insert(
            con,
            "rate",
            rate_id=rate_id,
            rate_sheet_id="00000000-0000-0000-0000-000000000000",
            tier="standard",
            modifier="",
            off_peak=False,
            above_tokens=-1,
            upto_tokens=10**9,
            units_with_tokens=True,
            search_per_prompt=False,
            **{f"{meter}_usd": Decimal(usd) / UNITS for meter, usd in costs.items()},
        )
    return rate_id


def bill(con, folder, *rows, header=HEADER, name="invoice.csv"):
    """Imports a CSV of these rows, each a text without its line end."""
    path = folder / name
    path.write_text("\n".join([header, *rows, ""]), "utf-8")
    return import_file(con, path, NOW)


def allocate(con):
    return allocate_open_periods(con, NOW)


def split(con, by="app", key="service"):
    """Anchored cost by service, or another key, of everything that is invoiced."""
    sql = f"SELECT {key}, sum(anchored_cost) FROM {by}_cost WHERE invoice_id IS NOT NULL GROUP BY 1"
    return dict(con.execute(sql).fetchall())


def usd(text):
    return Decimal(text)
