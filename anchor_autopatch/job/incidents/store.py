"""incidents.db: incidents and what is told of them, one SQLite file for several processes.

Not in the warehouse: a DuckDB file has one process at a time, and an alert must not wait for a
reconciliation that takes minutes (docs/adr/0010).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from anchor_autopatch.core.crash_points import reached
from anchor_autopatch.core.destinations import Watermark
from anchor_autopatch.core.errors import StoreError
from anchor_autopatch.core.sql_files import read_statements
from anchor_autopatch.job.incidents.records import (
    SLOT_US,
    Affected,
    Change,
    Counts,
    Incident,
    Silence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FILE_NAME = "incidents.db"
_BUSY_SECONDS = 30.0
_PACKAGE = "anchor_autopatch.job.incidents"


@cache
def _sql() -> dict[str, str]:
    return read_statements(_PACKAGE, "store")


class Store:
    """The open file; a context manager. Instants are microseconds since 1970-01-01 UTC.

    Raises:
        StoreError: the file cannot be made, opened, or is none of ours.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        path = home / FILE_NAME
        try:
            _create_private(path)
            self.con = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self.con.execute("PRAGMA journal_mode = WAL")
            # A notification that was noted as sent must stay noted when the power goes.
            self.con.execute("PRAGMA synchronous = FULL")
            for script in ("incidents", "delivery"):
                self.con.executescript(_schema(script))
            _add_missing_columns(self.con)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"Cannot use {str(path)!r}: {error}; check its permissions and its disk"
            ) from error

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.con.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits what the block did, or nothing of it; other processes wait meanwhile."""
        self.con.execute("BEGIN IMMEDIATE")
        try:
            yield
            reached("incidents.done")
        except BaseException:
            self.con.execute("ROLLBACK")
            raise
        self.con.execute("COMMIT")
        reached("incidents.committed")

    def _run(self, name: str, **values: object) -> sqlite3.Cursor:
        return self.con.execute(_sql()[name], values)

    # -- incidents --

    def keep(self, incident: Incident) -> None:
        """Adds or replaces an incident."""
        self._run("keep_incident", **incident._asdict())

    def latest(self, fingerprint: str) -> Incident | None:
        """The newest incident of a cause."""
        return _one(self._run("latest_of_cause", fingerprint=fingerprint))

    def incident(self, incident_id: str) -> Incident | None:
        """One incident by its id."""
        return _one(self._run("incident", incident_id=incident_id))

    def incidents(self) -> list[Incident]:
        """All incidents that are one, newest first."""
        return [Incident(*row) for row in self._run("incidents")]

    def unsettled(self) -> list[Incident]:
        """What goes on, and what ended and is still to be told."""
        return [Incident(*row) for row in self._run("unsettled")]

    def add_changes(self, incident_id: str, changes: Iterable[Change]) -> None:
        """Adds steps to the audit trail of an incident."""
        for change in changes:
            self._run("add_change", incident_id=incident_id, **change._asdict())

    def changes(self, incident_id: str) -> list[Change]:
        """The life of an incident, oldest first."""
        return [Change(*row) for row in self._run("changes", incident_id=incident_id)]

    # -- events --

    def note_event(self, event_id: str, occurrences: int = 1) -> int:
        """How many of the occurrences that the event stands for are new; known from now on.

        All of an event that was never seen, 0 of one that is as it was. What a row of the job
        stands for grows within its day; it never shrinks.
        """
        noted = self._run("note_event", event_id=event_id, occurrences=occurrences)
        if noted.rowcount == 1:
            return occurrences
        # Nearly all events stand for themselves alone: no second look.
        if occurrences == 1:
            return 0
        known = self._run("occurrences_of", event_id=event_id).fetchone()[0]
        if occurrences <= known:
            return 0
        self._run("keep_occurrences", event_id=event_id, occurrences=occurrences)
        return int(occurrences - known)

    def incident_of(self, event_id: str) -> Incident | None:
        """The incident that an event is part of; None when it is only counted, or not known."""
        found = self._run("incident_of_event", event_id=event_id).fetchone()
        return None if found is None or found[0] is None else self.incident(found[0])

    def assign(self, event_ids: Iterable[str], incident_id: str) -> None:
        """Says of events which incident they are part of."""
        self.con.executemany(
            _sql()["assign_event"],
            [{"event_id": event_id, "incident_id": incident_id} for event_id in event_ids],
        )

    def events(self) -> list[tuple[str, str]]:
        """Event id and incident id of every event that is part of one."""
        return self._run("events_of_incidents").fetchall()

    def add_affected(self, rows: Iterable[Affected]) -> None:
        """Counts new events of applications."""
        self.con.executemany(_sql()["add_affected"], [row._asdict() for row in rows])

    def affected(self, incident_id: str) -> list[Affected]:
        """Whom an incident hit, hardest first."""
        return [Affected(*row) for row in self._run("affected", incident_id=incident_id)]

    # -- counts --

    def add_failed(self, fingerprint: str, slots: Mapping[int, int]) -> None:
        """Counts failed calls of a cause, by start of a slot."""
        for slot_us, calls in slots.items():
            self._run("add_failed", fingerprint=fingerprint, slot_us=slot_us, calls=calls)

    def add_succeeded(self, provider: str, model: str, slot_us: int, calls: int) -> None:
        """Counts calls that went well."""
        self._run("add_succeeded", provider=provider, model=model, slot_us=slot_us, calls=calls)

    def note_success(self, provider: str, model: str, at_us: int) -> None:
        """Notes when a model was called with success."""
        self._run("note_success", provider=provider, model=model, at_us=at_us)

    def last_success(self, incident: Incident) -> int | None:
        """When one of the models that it hit last answered; None when nobody saw it."""
        found = self._run(
            "last_success", provider=incident.provider, incident_id=incident.incident_id
        ).fetchone()
        return None if found is None else found[0]

    def counts(self, incident: Incident, window_us: int) -> Counts:
        """Calls of the window that ends with the incident's last event."""
        until = incident.last_seen_us
        return Counts(
            self._failed(incident, until - window_us),
            self._run(
                "succeeded_since",
                provider=incident.provider,
                incident_id=incident.incident_id,
                after_us=until - window_us,
                until_us=until,
            ).fetchone()[0],
        )

    def in_a_row(self, incident: Incident, window_us: int) -> int:
        """Calls that failed since the last success, in the window that ends with its last event.

        Those of the ten seconds of that success are left out: their order is not known.
        """
        success = self.last_success(incident) or 0
        return self._failed(
            incident, max(success - success % SLOT_US, incident.last_seen_us - window_us)
        )

    def _failed(self, incident: Incident, after_us: int) -> int:
        found = self._run(
            "failed_since",
            fingerprint=incident.fingerprint,
            after_us=after_us,
            until_us=incident.last_seen_us,
        ).fetchone()
        return int(found[0])

    def forget_counts(self, before_us: int) -> None:
        """Drops counts of slots before this instant."""
        self._run("forget_failed", before_us=before_us)
        self._run("forget_succeeded", before_us=before_us)

    # -- intake --

    def mark(self, outbox_id: str) -> Watermark:
        """How far an outbox was taken in."""
        found = self._run("intake", outbox_id=outbox_id).fetchone()
        return Watermark(*found) if found else Watermark()

    def marks(self) -> dict[str, int]:
        """How far every outbox was taken in: its id -> number of the last row."""
        return dict(self._run("intakes").fetchall())

    def keep_mark(self, outbox_id: str, mark: Watermark) -> None:
        """Notes how far an outbox was taken in; never back."""
        self._run("keep_intake", outbox_id=outbox_id, seq=mark.seq, crc=mark.crc)

    # -- silences --

    def add_silence(self, silence: Silence) -> None:
        """Adds a silence."""
        self._run("add_silence", **silence._asdict())

    def end_silence(self, silence_id: str, now_us: int) -> bool:
        """Ends a silence; False when there is none of this id."""
        return self._run("end_silence", silence_id=silence_id, until_us=now_us).rowcount == 1

    def silences(self) -> list[Silence]:
        """All silences, ended ones too."""
        return [Silence(*row) for row in self._run("silences")]


def _add_missing_columns(con: sqlite3.Connection) -> None:
    """Brings a file of an earlier version to the present schema; its rows stood for one each."""
    columns = {row[0] for row in con.execute(_sql()["columns_of_events"])}
    if "occurrences" not in columns:
        con.execute(_sql()["add_occurrences"])


def _one(cursor: sqlite3.Cursor) -> Incident | None:
    row: tuple[Any, ...] | None = cursor.fetchone()
    return Incident(*row) if row else None


@cache
def _schema(part: str) -> str:
    return files(f"anchor_autopatch.job.{part}").joinpath("schema.sql").read_text("utf-8")


def _create_private(path: Path) -> None:
    """Makes the file 0600 before SQLite would make it by the umask; its companions inherit that."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink():
        # A planted link would make us write to a file elsewhere.
        raise StoreError(f"{str(path)!r} is a symbolic link; remove it")
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o600))
