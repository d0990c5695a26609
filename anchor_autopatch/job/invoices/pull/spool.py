"""Pages on disk until they are booked, so that a pull that broke off goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.job.warehouse import private_files

if TYPE_CHECKING:
    from pathlib import Path

    from anchor_autopatch.job.invoices.pull.asks import Ask
    from anchor_autopatch.job.invoices.pull.targets import Target

__all__ = ("Spool",)

# Pages fetched on two days would mix two states of costs that are restated in between.
_FRESH = timedelta(hours=1)


class Spool:
    """The pages of one ask that were fetched so far."""

    def __init__(self, folder: Path, now: datetime) -> None:
        """Opens the folder; pages that are too old to go on with are thrown away."""
        self._folder = folder
        self._started = folder / "started"
        if not self._is_fresh(now):
            self.clear()
        try:
            with private_files():
                folder.mkdir(parents=True, exist_ok=True)
                if not self._started.exists():
                    self._started.write_text(now.isoformat(), "ascii")
        except OSError as error:
            raise StoreError(f"Cannot keep pages in {str(folder)!r}: {error.strerror}") from error

    @classmethod
    def of(cls, root: Path, target: Target, ask: Ask, now: datetime) -> Spool:
        """The spool of an ask; the same ask of the same account has the same one.

        Raises:
            StoreError: its folder cannot be written.
        """
        known = (target.provider, target.account, target.url, target.team, ask.path, ask.params)
        digest = sha256(json.dumps([*known, ask.body]).encode()).hexdigest()
        return cls(root / digest[:16], now)

    def pages(self) -> list[bytes]:
        """All pages so far, in the order in which they were fetched."""
        return [path.read_bytes() for path in sorted(self._folder.glob("*.json"))]

    def add(self, page: bytes) -> None:
        """Keeps one more page, whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        number = len(list(self._folder.glob("*.json")))
        made = self._folder / "new"
        try:
            with private_files():
                made.write_bytes(page)
                made.replace(self._folder / f"{number:06}.json")
        except OSError as error:
            raise StoreError(
                f"Cannot keep a page in {str(self._folder)!r}: {error.strerror}"
            ) from error

    def clear(self) -> None:
        """Forgets all pages: they are booked, or no longer of use."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_fresh(self, now: datetime) -> bool:
        try:
            started = datetime.fromisoformat(self._started.read_text("ascii"))
        except (OSError, ValueError):
            return False
        return timedelta(0) <= now - started <= _FRESH
