"""What the files of one import mean together: parts of an export, and controls of grouped costs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from anchor_autopatch.job.invoices.controls import disagreement, is_ungrouped
from anchor_autopatch.job.invoices.landing import Invoice, InvoiceLine, make_invoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anchor_autopatch.job.invoices.reading import ReadFile

__all__ = ("assemble",)

_Part = tuple["ReadFile", Invoice]
_Scope = tuple[str, str, str, str]


def assemble(files: Sequence[ReadFile]) -> list[ReadFile]:
    """The files with each invoice in one of them; what does not fit together is in their findings.

    Clouds cut a large export into files. Imported one by one each would take the place of the
    former, so the parts of a month become one invoice, in the first of its files. Ungrouped days of
    a cost API are compared with the grouped ones of the same import, and do not land.
    """
    parts: dict[_Scope, list[_Part]] = defaultdict(list)
    grouped: dict[_Scope, list[Invoice]] = defaultdict(list)
    for file in files:
        for invoice in file.landed.invoices:
            if invoice.snapshot:
                parts[_scope(invoice)].append((file, invoice))
            elif invoice.days is not None and not is_ungrouped(invoice):
                grouped[_scope(invoice)].append(invoice)
    return [_assembled(file, parts, grouped) for file in files]


def _assembled(
    file: ReadFile, parts: dict[_Scope, list[_Part]], grouped: dict[_Scope, list[Invoice]]
) -> ReadFile:
    kept = []
    for invoice in file.landed.invoices:
        scope = _scope(invoice)
        if invoice.snapshot:
            if parts[scope][0][0] is file:
                kept.append(_joined(parts[scope]))
        elif is_ungrouped(invoice) and grouped[scope]:
            message = disagreement(invoice, grouped[scope])
            if message is not None:
                file.findings.add(None, message)
        else:
            kept.append(invoice)
    return file._replace(landed=file.landed._replace(invoices=tuple(kept)))


def _scope(invoice: Invoice) -> _Scope:
    return (invoice.source, invoice.provider, invoice.account, invoice.period)


def _joined(parts: list[_Part]) -> Invoice:
    (first, whole), *others = parts
    if not others:
        return whole
    lines = _lines(first, whole)
    for file, invoice in others:
        problem = _problem(first, whole, invoice, lines)
        if problem is not None:
            file.findings.add(None, problem)
        lines += _lines(file, invoice)
    # Ids are made anew: lines of two parts may differ in nothing but their amount.
    return make_invoice(whole, (replace(line, line_id="") for line in lines))


def _problem(
    first: ReadFile, whole: Invoice, invoice: Invoice, lines: Sequence[InvoiceLine]
) -> str | None:
    if invoice.currency != whole.currency:
        return (
            f"Currency {invoice.currency!r} differs from the {whole.currency} of "
            f"{first.document.name!r}; all parts of an export must be in one currency"
        )
    # Two exports of one month are no parts of each other: they tell most lines twice.
    seen = {(line.dimensions(), line.amount) for line in lines}
    again = sum((line.dimensions(), line.amount) in seen for line in invoice.lines)
    if again * 2 > len(invoice.lines):
        return (
            f"Most lines are in {first.document.name!r}, too; "
            "import the newest export of the month only, with all of its parts"
        )
    return None


def _lines(file: ReadFile, invoice: Invoice) -> list[InvoiceLine]:
    digest = file.document.sha256
    return [replace(line, document_sha256=digest) for line in invoice.lines]
