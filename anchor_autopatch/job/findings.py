"""What a person has to look at after a run, one line each, with the mend."""

from __future__ import annotations

import shlex
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from anchor_autopatch.job.rates.terms import TERM_OF_METER, TERMS
from anchor_autopatch.job.sql import load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from duckdb import DuckDBPyConnection

    from anchor_autopatch.job.allocation import AllocationReport
    from anchor_autopatch.job.meters import MeasureReport


class InvoiceCheck(NamedTuple):
    """An invoice of an open period and the sum of its split; amounts in its currency."""

    period: str
    provider: str
    account: str
    invoice_id: str
    total: Decimal
    currency: str
    split_sum: Decimal
    estimated_total_usd: Decimal

    @property
    def holds(self) -> bool:
        """Whether the split sums to the invoice exactly."""
        return self.split_sum == self.total


def receipt_count(con: DuckDBPyConnection) -> int:
    """Receipts in the warehouse, all periods."""
    return int(_rows(con, "receipt_count")[0][0])


def invoice_checks(con: DuckDBPyConnection) -> tuple[InvoiceCheck, ...]:
    """Every invoice of an open period beside the sum of its split."""
    return tuple(map(InvoiceCheck._make, _rows(con, "invoice_checks")))


def find(
    con: DuckDBPyConnection,
    measured: MeasureReport,
    allocated: AllocationReport,
    invoices: Iterable[InvoiceCheck],
    mapped_hosts: Collection[str],
) -> Iterator[str]:
    """The findings of open periods; hosts in `mapped_hosts` are explained from now on."""
    yield from _unmapped_hosts(con, mapped_hosts)
    yield from _unpriced_models(con)
    yield from _usage_mismatches(measured)
    yield from _variances(allocated)
    yield from _coarse_lines(con)
    yield from _broken_sums(invoices)


def _rows(con: DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    return con.execute(load("reconcile")[name]).fetchall()


def _unmapped_hosts(con: DuckDBPyConnection, mapped: Collection[str]) -> Iterator[str]:
    for host, calls in _rows(con, "unmapped_hosts"):
        if not host:
            yield (
                f"{_calls(calls)} were recorded by hand and nobody said who invoices them; "
                "name it at the call site: record(response, provider=...)"
            )
        elif host not in mapped:
            yield (
                f"{_calls(calls)} went to {host!r} and nobody said who invoices it; "
                f"set ANCHOR_PROVIDER_HOSTS={host}=PROVIDER for the application, "
                f'or add to anchor.toml under [hosts]: "{host}" = "PROVIDER"'
            )


def _unpriced_models(con: DuckDBPyConnection) -> Iterator[str]:
    for provider, model, reason, meters, calls, first_day in _rows(con, "unpriced_models"):
        if reason is None:
            yield (
                f"{_calls(calls)} of {provider} {model!r} used what its card has no rate for "
                f"({meters}): that cost is unknown and in no estimate, see receipts.unpriced_meters"
            )
            continue
        flags = _price_flags(meters.split(", "))
        yield (
            f"{_calls(calls)} of {provider} {model!r} without a price ({reason}), cost unknown; "
            f"anchor prices set {shlex.quote(model)} --provider {provider} "
            f"{flags} --from {first_day} --reason TEXT"
        )


def _price_flags(meters: Collection[str]) -> str:
    terms = {TERM_OF_METER[meter] for meter in meters if meter in TERM_OF_METER}
    named = [term for term in TERMS if term in terms] or ["input", "output"]
    return " ".join(
        f"--{term.replace('_', '-')} PRICE{'/1M' if TERMS[term][1].startswith('token') else ''}"
        for term in named
    )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _usage_mismatches(measured: MeasureReport) -> Iterator[str]:
    if measured.mismatch_count:
        yield (
            f"{measured.mismatch_count} of {measured.measured_count} new receipts carry usage that "
            "does not add up; see receipts.usage_mismatch"
        )


def _variances(allocated: AllocationReport) -> Iterator[str]:
    for row in allocated.rows:
        name = f"{row.provider} {row.period} {row.invoice_id or ''}".strip()
        if row.flagged:
            yield (
                f"{name}: estimated {row.estimated_total_usd:.2f} USD against "
                f"{money(row.invoice_total)} {row.currency} invoiced, "
                f"beyond {money(row.threshold)}"
            )
        if row.unallocated:
            yield (
                f"{name}: {money(row.unallocated)} {row.currency} found no receipt and stays "
                "under __unallocated; is every caller of this provider captured?"
            )


def _coarse_lines(con: DuckDBPyConnection) -> Iterator[str]:
    for period, provider, invoice_id, model, amount, currency in _rows(con, "coarse_lines"):
        yield (
            f"{provider} {period} {invoice_id}: {money(amount)} {currency} of {model!r} found no "
            "receipt of that model and were shared by all calls of the invoice "
            "(match_level 'provider'); is every caller of this model captured?"
        )


def money(amount: Decimal | None) -> str:
    """An amount without the zeros that only its storage needs; cents always shown."""
    if amount is None:
        return "nothing"
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{amount:.{places}f}"


def _broken_sums(invoices: Iterable[InvoiceCheck]) -> Iterator[str]:
    for invoice in invoices:
        if not invoice.holds:
            yield (
                f"Split of invoice {invoice.invoice_id!r} sums to {money(invoice.split_sum)}, "
                f"not to {money(invoice.total)} {invoice.currency}; please report this"
            )
