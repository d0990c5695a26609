"""One link of the chain, and what is off in it."""

from __future__ import annotations

from typing import NamedTuple

SHOWN_FAULTS = 20
"""Faults of one kind that are named; the first of thousands tells as much as all of them."""


class Link(NamedTuple):
    """What was checked of one step of the data's way."""

    name: str
    proven: str
    """What holds when there is no fault, with its counts."""
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be off."""
        return not self.faults


class VerifyReport(NamedTuple):
    """All links, in the order of the data's way."""

    links: tuple[Link, ...]

    @property
    def first_fault(self) -> str | None:
        """The earliest thing that is off; later ones often follow from it. None = all holds."""
        return next((fault for link in self.links for fault in link.faults), None)
