"""A warehouse whose costs a test sets itself, with the clock in its hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import duckdb

from anchor_autopatch.core.alerting.rules import AlertRules, Sink
from anchor_autopatch.job.incidents.rules import IncidentRules
from anchor_autopatch.job.incidents.running import Settings
from anchor_autopatch.job.incidents.store import Store
from anchor_autopatch.job.invoices.values import naive_utc
from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.spend.watching import watch_spend
from anchor_autopatch.job.warehouse import open_warehouse

NOW = datetime(2026, 11, 11, 12, tzinfo=UTC)
APP = {"team": "search", "service": "ranker", "environment": "production"}


class Money:
    """A home with receipts, failures and bills; told are those who ask for it with `sink`."""

    def __init__(self, home, sink=None):
        self.home = home
        self.numbers = count(1)
        self.rows = []
        self.config = {}
        sinks = () if sink is None else (Sink("ops", "webhook", url=sink.url, allow_private=True),)
        self.settings = Settings(IncidentRules(), AlertRules(sinks))

    def budget(self, amount=100, **fields):
        """Adds a budget of the team; `team=None` for one of everything."""
        table = {"amount": amount, "team": "search"} | fields
        given = {key: value for key, value in table.items() if value is not None}
        self.config.setdefault("budgets", []).append(given)

    def cost(self, usd, at=NOW - timedelta(days=5), **fields):
        """One call that costs so much, None for one without a price, as the split has it, too.

        Five days ago, where it is not said otherwise: that burns nothing any more.
        """
        number = next(self.numbers)
        app = APP | fields
        receipt = app | {
            "receipt_id": f"r{number}",
            "occurred_at": naive_utc(at),
            "provider": "openai",
            "request_model": "gpt-4o",
            "outcome": "ok",
            "billable": True,
            "provider_account": "",
            "outbox_id": "o1",
            "writer_seq": number,
            "shipped_at": naive_utc(at),
        }
        receipt |= {key: value for key, value in fields.items() if key in receipt}
        price = {
            "receipt_id": f"r{number}",
            "resolution_rule": "exact",
            "price_status": "unpriced" if usd is None else "priced",
            "estimated_cost_usd": usd,
            "priced_at": naive_utc(at),
        }
        split = {key: receipt[key] for key in ("team", "service", "environment", "provider")} | {
            "split": "app",
            "period": f"{at:%Y-%m}",
            "account": "",
            "calls": 1,
            "estimated_cost_usd": usd,
            "anchored_cost": None,
            "currency": "USD",
            "status": "estimated",
        }
        self.rows += [("receipt", receipt), ("receipt_price", price), ("cost_split", split)]
        return f"r{number}"

    def fail(self, at=NOW, **fields):
        """One failed request."""
        number = next(self.numbers)
        event = {
            "event_id": f"e{number}",
            "occurred_at": naive_utc(at),
            "event_class": "rate_limited",
            "provider": "openai",
            "request_model": "gpt-4o",
            "call_site": "app:ask",
            "attempts": 1,
            "retried": False,
            "outbox_id": "o1",
            "writer_seq": number,
            "shipped_at": naive_utc(at),
        }
        self.rows.append(("exception_event", event | APP | fields))

    def invoiced(self, amount, at=NOW, **fields):
        """A share of a bill."""
        given = {"split": "app", "period": f"{at:%Y-%m}", "provider": "openai", "account": ""}
        given |= {"invoice_id": "I1", "calls": 1, "anchored_cost": amount, "currency": "USD"}
        self.rows.append(("cost_split", given | APP | {"status": "anchored"} | fields))

    def look(self, now=NOW):
        """One run."""
        with open_warehouse(self.home) as con:
            self._write(con)
            return watch_spend(con, self.home, self.config, self.settings, now)

    def query(self, sql, now=NOW):
        """What a new report has."""
        with open_warehouse(self.home) as con:
            self._write(con)
            path = publish(con, self.home, now)
        with duckdb.connect(str(path), read_only=True) as report:
            return report.execute(sql).fetchall()

    def _write(self, con):
        for table, row in self.rows:
            marks = ", ".join("?" * len(row))
            con.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", [*row.values()])
        self.rows.clear()

    def incidents(self):
        """(class, state, code) of all incidents."""
        with Store(self.home) as store:
            found = sorted(
                store.incidents(), key=lambda each: (each.first_seen_us, each.code or "")
            )
        return [(each.event_class, each.state, each.code) for each in found]

    def steady(self, usd, since, until=NOW, **fields):
        """So much in each hour of [since, until)."""
        at = since
        while at < until:
            self.cost(Decimal(usd), at, **fields)
            at += timedelta(hours=1)
