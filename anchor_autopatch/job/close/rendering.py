"""Statements as CSV, Markdown and printable HTML: pure, the same figures give the same bytes."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from anchor_autopatch.job.invoices.currencies import minor_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ("Correction", "Line", "Sheet", "as_csv", "as_html", "as_md", "totals")

_MICRO = Decimal("0.000001")


class Line(NamedTuple):
    """What a team's calls of one service, environment and model cost on one invoice."""

    team: str
    provider: str
    account: str
    invoice_id: str
    """Empty = not invoiced yet."""
    service: str
    environment: str
    model: str
    calls: int
    estimated_cost_usd: Decimal | None
    amount: Decimal | None
    """Share of the invoice; None = not invoiced yet."""
    currency: str


class Correction(NamedTuple):
    """What corrections to an earlier period charge or give back in this one."""

    team: str
    provider: str
    account: str
    invoice_id: str
    service: str
    environment: str
    period: str
    amount: Decimal
    currency: str


class Sheet(NamedTuple):
    """The content of one statement."""

    period: str
    version: int
    mode: str
    team: str
    """Empty = all teams."""
    lines: tuple[Line, ...]
    corrections: tuple[Correction, ...]


_COLUMNS = (
    *("kind", "statement_period", "version", "mode", "charged_period", "team", "provider"),
    *("account", "invoice_id", "service", "environment", "model", "calls", "estimated_cost_usd"),
    *("amount", "currency"),
)
_SHOWN = (
    *("team", "provider", "invoice", "service", "environment", "model", "calls"),
    *("est. USD", "amount", "currency"),
)
_SHOWN_CORRECTIONS = (
    *("team", "provider", "invoice", "of", "service", "environment", "amount", "currency"),
)


def totals(sheet: Sheet) -> Mapping[str, Decimal]:
    """Currency -> what the statement comes to, corrections included."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    rows: list[Line | Correction] = [*sheet.lines, *sheet.corrections]
    for row in rows:
        if row.amount is not None:
            sums[row.currency] += row.amount
    return dict(sorted(sums.items()))


def as_csv(sheet: Sheet) -> str:
    """One row a line and a correction, a total in each currency; line ends are LF."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    head = (sheet.period, sheet.version, sheet.mode)
    for line in sheet.lines:
        where = (line.team, line.provider, line.account, line.invoice_id)
        what = (line.service, line.environment, line.model, line.calls)
        figures = (_estimate(line.estimated_cost_usd), _amount(line.amount, line.currency))
        row = ("charge", *head, sheet.period, *where, *what, *figures, line.currency)
        rows.writerow(_safe(row))
    for each in sheet.corrections:
        where = (each.team, each.provider, each.account, each.invoice_id)
        blank = ("", "", "")
        amount = _amount(each.amount, each.currency)
        rows.writerow(
            _safe(
                (
                    "correction",
                    *head,
                    each.period,
                    *where,
                    each.service,
                    each.environment,
                    *blank,
                    amount,
                    each.currency,
                )
            )
        )
    for currency, total in totals(sheet).items():
        nothing = ("",) * 8
        rows.writerow(
            _safe(("total", *head, "", sheet.team, *nothing, _amount(total, currency), currency))
        )
    return text.getvalue()


def as_md(sheet: Sheet, digest: str) -> str:
    """The statement as Markdown; `digest` is the SHA-256 of its CSV."""
    parts = [f"# {_title(sheet)}", "", _explanation(sheet), "", *_md_table(_SHOWN, _cells(sheet))]
    if sheet.corrections:
        parts += ["", "## Corrections to earlier periods", ""]
        parts += _md_table(_SHOWN_CORRECTIONS, _correction_cells(sheet))
    parts += ["", *(f"**Total: {total}**  " for total in _totals(sheet))]
    return "\n".join([*parts, "", f"SHA-256 of the CSV: `{digest}`", ""])


def as_html(sheet: Sheet, digest: str) -> str:
    """The statement as one HTML page without scripts or outside files, made for paper, too."""
    body = [f"<h1>{escape(_title(sheet))}</h1>", f"<p>{escape(_explanation(sheet))}</p>"]
    body += _html_table(_SHOWN, _cells(sheet))
    if sheet.corrections:
        body.append("<h2>Corrections to earlier periods</h2>")
        body += _html_table(_SHOWN_CORRECTIONS, _correction_cells(sheet))
    body += [f'<p class="total">Total: {escape(total)}</p>' for total in _totals(sheet)]
    body.append(f"<footer>SHA-256 of the CSV: <code>{digest}</code></footer>")
    title = escape(_title(sheet))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{title}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#111}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{padding:.25em .6em;border-bottom:1px solid #ccc;text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".total{font-weight:bold;text-align:right}footer{margin-top:2em;font-size:11px;color:#444}"
    "@media print{body{margin:0}tr{break-inside:avoid}thead{display:table-header-group}}"
)


def _title(sheet: Sheet) -> str:
    whom = f"team {sheet.team}" if sheet.team else "all teams"
    version = f", version {sheet.version}" if sheet.version > 1 else ""
    return f"AI provider costs {sheet.period}: {whom}{version}"


def _explanation(sheet: Sheet) -> str:
    if sheet.mode == "chargeback":
        return "Chargeback: these amounts are booked to the teams."
    return "Showback: these amounts are for information, nothing is booked to the teams."


def _cells(sheet: Sheet) -> list[tuple[str, ...]]:
    return [
        (
            *(line.team, line.provider, line.invoice_id or "not invoiced yet"),
            *(line.service, line.environment, line.model, f"{line.calls:,}"),
            *(_estimate(line.estimated_cost_usd), _amount(line.amount, line.currency)),
            line.currency,
        )
        for line in sheet.lines
    ]


def _correction_cells(sheet: Sheet) -> list[tuple[str, ...]]:
    return [
        (
            *(each.team, each.provider, each.invoice_id, each.period),
            *(each.service, each.environment, _amount(each.amount, each.currency), each.currency),
        )
        for each in sheet.corrections
    ]


def _totals(sheet: Sheet) -> list[str]:
    return [f"{_amount(total, name)} {name}" for name, total in totals(sheet).items()] or [
        "nothing"
    ]


_NUMBERS = ("calls", "est. USD", "amount")


def _md_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    marks = ["---:" if name in _NUMBERS else "---" for name in columns]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (columns, marks, *cells)]


def _html_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    marks = [' class="n"' if name in _NUMBERS else "" for name in columns]
    head = "".join(f"<th{mark}>{name}</th>" for mark, name in zip(marks, columns, strict=True))
    body = [
        "".join(f"<td{mark}>{escape(cell)}</td>" for mark, cell in zip(marks, row, strict=True))
        for row in rows
    ]
    body = [f"<tr>{cells}</tr>" for cells in body]
    return [f"<table><thead><tr>{head}</tr></thead><tbody>", *body, "</tbody></table>"]


def _amount(amount: Decimal | None, currency: str) -> str:
    if amount is None:
        return ""
    decimals = minor_units(currency)
    return f"{amount:.{2 if decimals is None else decimals}f}"


def _estimate(cost: Decimal | None) -> str:
    return "" if cost is None else f"{cost.quantize(_MICRO):f}"


def _safe(row: Sequence[object]) -> list[object]:
    # A service may be called "=HYPERLINK(...)", and spreadsheets run what begins like a formula.
    return [
        f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "@", "\t", "\r") else cell
        for cell in row
    ]
