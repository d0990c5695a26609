"""Money of an invoice that no receipt explains: carved out, taxed, held or spread.

In this order: what the provider counted beyond the receipts (`__untracked`), capacity nobody used
(`__idle`), taxes in proportion to what everything came to, then each bucket by its policy. Buckets
are a handful an invoice and applications some thousands, so this is Python; receipts stay in SQL.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from anchor_autopatch.job.allocation.policies import HOLD, AppKey, Policies, Policy, spread
from anchor_autopatch.job.allocation.shares import allocate
from anchor_autopatch.job.allocation.statements import statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

__all__ = ("Buckets", "carve_idle", "carve_untracked", "found", "keep_parts", "spread_taxes")

_UNALLOCATED = "__unallocated"
_PROPORTIONAL = Policy("proportional")

Buckets = dict[tuple[str, str], int]
"""(invoice, bucket) -> 1e-9 of the currency of the invoice."""
_Apps = dict[str, list[tuple[AppKey, int]]]


def carve_untracked(con: duckdb.DuckDBPyConnection) -> None:
    """Takes out of each pool what the provider counted and no receipt explains."""
    sql = statements()
    pools, carved = [], []
    for pool_no, amount, untracked, tracked in con.execute(sql["untracked_pools"]).fetchall():
        shares = allocate(amount, (untracked, tracked), (("untracked",), ("tracked",)))
        pools.append(pool_no)
        carved.append(shares[0])
    con.execute(sql["carve_untracked"], {"pool_no": pools, "untracked_nano": carved})


def carve_idle(con: duckdb.DuckDBPyConnection, policies: Policies) -> None:
    """Takes out of each commitment what its capacity exceeds the tokens that were used."""
    sql = statements()
    lines, carved = [], []
    for line_id, provider, model, amount, capacity, used in con.execute(
        sql["commitments"]
    ).fetchall():
        bought = capacity or _capacity(policies, provider, model)
        if bought is not None and bought > used:
            shares = allocate(amount, (bought - used, used), (("idle",), ("used",)))
            lines.append(line_id)
            carved.append(shares[0])
    con.execute(sql["carve_idle"], {"invoice_line_id": lines, "idle_nano": carved})


def found(con: duckdb.DuckDBPyConnection) -> Buckets:
    """Every bucket before taxes."""
    rows = con.execute(statements()["bucket_parts"]).fetchall()
    return {(invoice_id, bucket): amount for invoice_id, bucket, amount in rows}


def spread_taxes(con: duckdb.DuckDBPyConnection, buckets: Buckets) -> Buckets:
    """Adds taxes to everything in proportion to its net amount; returns the buckets with theirs.

    What came to nothing or less bears no tax. With nothing to bear it, the tax is unallocated.
    """
    sql = statements()
    taxed = con.execute(sql["taxed_invoices"]).fetchall()
    if not taxed:
        return buckets
    after = defaultdict(int, buckets)
    invoices, amounts = [], []
    for invoice_id, tax, net in taxed:
        bearers = [("", net), *((b, n) for (i, b), n in buckets.items() if i == invoice_id)]
        bearers = sorted((name, max(0, amount)) for name, amount in bearers)
        if not any(amount for _, amount in bearers):
            after[invoice_id, _UNALLOCATED] += tax
            continue
        names = [name for name, _ in bearers]
        shares = allocate(tax, [amount for _, amount in bearers], [(name,) for name in names])
        for name, share in zip(names, shares, strict=True):
            if name:
                after[invoice_id, name] += share
            elif share:
                invoices.append(invoice_id)
                amounts.append(share)
    con.execute(sql["tax_pools"], {"invoice_id": invoices, "amount_nano": amounts})
    con.execute(sql["tax_pool_cells"])
    con.execute(sql["taxed_lines"])
    con.execute(sql["paid_cells"])
    return dict(after)


def keep_parts(con: duckdb.DuckDBPyConnection, buckets: Buckets, policies: Policies) -> None:
    """Adds the buckets to the parts of each invoice, each by its policy, and past adjustments."""
    parts: list[tuple[str, str, AppKey, int]] = []
    apps = _apps(con, "app_weights") if policies.buckets else {}
    for (invoice_id, bucket), amount in sorted(buckets.items()):
        policy = policies.buckets.get(bucket, HOLD)
        for app, share in spread(amount, policy, apps.get(invoice_id, [])):
            parts.append((invoice_id, bucket, app or AppKey(None, bucket), share))
    parts += _adjustments(con)
    columns = {
        "invoice_id": [invoice_id for invoice_id, *_ in parts],
        "bucket": [bucket for _, bucket, *_ in parts],
        "team": [app.team for _, _, app, _ in parts],
        "service": [app.service for _, _, app, _ in parts],
        "environment": [app.environment for _, _, app, _ in parts],
        "amount_nano": [amount for *_, amount in parts],
    }
    con.execute(statements()["keep_bucket_parts"], columns)


def _adjustments(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, AppKey, int]]:
    """Adjustments of past periods, divided as those periods were."""
    rows = con.execute(statements()["past_adjustments"]).fetchall()
    if not rows:
        return []
    weights = _apps(con, "past_weights")
    parts = []
    for invoice_id, period, amount in rows:
        apps = weights.get(f"{invoice_id} {period}", [])
        for app, share in spread(amount, _PROPORTIONAL, apps):
            bucket = "__adjustment" if app else _UNALLOCATED
            parts.append((invoice_id, bucket, app or AppKey(None, bucket), share))
    return parts


def _apps(con: duckdb.DuckDBPyConnection, statement: str) -> _Apps:
    found: _Apps = defaultdict(list)
    for key, team, service, environment, amount in con.execute(statements()[statement]).fetchall():
        found[key].append((AppKey(team, service, environment), amount))
    return found


def _capacity(policies: Policies, provider: str, model: str) -> int | None:
    fits: Mapping[bool, int] = {
        each.model is not None: each.capacity_tokens
        for each in policies.commitments
        if each.provider == provider and each.model in (None, model)
    }
    # One that names the model says more than one for all of them.
    return fits.get(True, fits.get(False))
