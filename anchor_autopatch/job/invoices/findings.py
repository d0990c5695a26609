"""What is wrong with invoice files: collected as values, told together, the files refused whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from anchor_autopatch.core.errors import InvoiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ("Finding", "Findings", "RefusedInvoiceError")

Value = TypeVar("Value")


class Finding(NamedTuple):
    """One thing to mend in one file."""

    file: str
    row: int | None
    """Line of the file, from 1; None = the file as a whole."""
    message: str
    """What is wrong, the value, and the mend."""

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file} line {self.row}"
        return f"{place}: {self.message}"


class RefusedInvoiceError(InvoiceError):
    """Invoice files have findings; nothing of them was imported."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


class Findings:
    """Collects the findings of one file while it is read on to its end."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Finding] = []

    def __len__(self) -> int:
        return len(self.found)

    def add(self, row: int | None, message: str) -> None:
        """Notes one finding."""
        self.found.append(Finding(self.file, row, message))

    def in_order(self) -> list[Finding]:
        """By line of the file; what concerns the whole file comes first."""
        return sorted(self.found, key=lambda finding: finding.row or 0)

    def read(self, row: int | None, parse: Callable[[str], Value], text: str) -> Value | None:
        """The parsed value; None, and a finding, where `parse` raises ValueError."""
        try:
            return parse(text)
        except ValueError as error:
            self.add(row, str(error))
            return None
