"""Everything one simulator process remembers: clock, ledger, script, prices, ids, answers."""

from __future__ import annotations

import itertools
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from examples.provider_sim.ledger import Ledger
from examples.provider_sim.prices import PriceList
from examples.provider_sim.script import Script
from examples.provider_sim.values import Json

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Clock:
    """The simulator's time: the real one until a caller moves or freezes it."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the simulated instant in UTC."""
        return self._frozen or datetime.now(UTC) + self._offset

    def set(self, instant: datetime, *, ticking: bool) -> None:
        """Move to `instant`; afterwards time stands still, or runs on when `ticking`."""
        # The offset is kept while frozen too, so that `advance` can let time run on.
        self._frozen = None if ticking else instant
        self._offset = instant - datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Move forward from where the clock is now."""
        self.set(self.now() + timedelta(seconds=seconds), ticking=self._frozen is None)


class Ids:
    """Ids that never repeat, neither in this process nor in another simulator."""

    def __init__(self) -> None:
        # The job tells calls apart by response id, over months and over several simulators.
        self._run = "".join(secrets.choice(_ALPHABET) for _ in range(10))
        self._count = itertools.count(1)

    def new(self, prefix: str, length: int = 24) -> str:
        """Return prefix + run tag + counter, the part after the prefix `length` characters long."""
        return f"{prefix}{self._run}{next(self._count):0{length - 10}d}"


@dataclass(slots=True)
class State:
    """One process's memory; `lock` guards what the control endpoints and the wires both change."""

    ports: dict[int, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
    ledger: Ledger = field(default_factory=Ledger)
    prices: PriceList = field(default_factory=PriceList)
    script: Script = field(default_factory=Script)
    stored: dict[str, Json] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self) -> None:
        """Forget everything but the ports and the id counter (ids stay unique)."""
        with self.lock:
            self.clock, self.ledger = Clock(), Ledger()
            self.prices, self.script = PriceList(), Script()
            # In place: calls that are under way hold these.
            self.stored.clear()
            self.attempts.clear()
