"""A warehouse with receipts in it, for the tests of meters, rates and pricing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.pricing import price
from anchor_autopatch.job.rates import sync_table
from anchor_autopatch.job.rates.source import PriceTable

NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)
NOON = datetime.fromisoformat("2026-11-03T12:00")
CHAT = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}


def table(models, version="1.0"):
    """A price table of these models, provider openai unless they say otherwise."""
    entries = {
        key: {"litellm_provider": "openai", "mode": "chat"} | exact(fields)
        for key, fields in models.items()
    }
    text = json.dumps(entries, default=str, sort_keys=True)
    return PriceTable(version, f"sha256 of {text}", entries)


def exact(fields):
    """Rates as LiteLLM's JSON file yields them."""
    return json.loads(json.dumps(fields), parse_float=Decimal)


def load_table(con, models, *, seen=NOW, now=NOW):
    """Takes over a table of these models, first seen at `seen`."""
    return sync_table(con, table(models), observed_at=seen, now=now)


def add(con, receipt_id="r1", **fields):
    """One billable chat receipt of gpt-4o; `usage` and `facts` are given as objects."""
    usage = fields.pop("usage", CHAT)
    facts = fields.pop("facts", None)
    row = {
        "receipt_id": receipt_id,
        "occurred_at": NOON,
        "provider": "openai",
        "request_model": "gpt-4o",
        "usage_source": "provider",
        "usage_shape": "openai.chat",
        "raw_usage": None if usage is None else json.dumps(usage),
        "price_facts": None if facts is None else json.dumps(facts),
        "billable": True,
        "provider_account": "",
        "outbox_id": "outbox-1",
        "writer_seq": 1,
        "shipped_at": NOW,
    } | fields
    marks = ", ".join("?" * len(row))
    con.execute(f"INSERT INTO receipt ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def run(con, now=NOW, **kwargs):
    """Measures and prices, as reconcile does."""
    measure(con, now)
    return price(con, now, **kwargs)


def priced(con, receipt_id="r1"):
    """(status, cost) of one receipt."""
    sql = "SELECT price_status, estimated_cost_usd FROM receipt_price WHERE receipt_id = ?"
    return con.execute(sql, [receipt_id]).fetchone()


def cost(con, receipt_id="r1"):
    """Estimated cost of one receipt in USD; None = unpriced."""
    return priced(con, receipt_id)[1]
