"""Who of a host tells of a new incident first: one claim for each cause, and the first one wins.

A claim is a file of `alerts` in ANCHOR_HOME, named after the fingerprint. It holds the id that the
incident has from then on, and what is told of it, but no address and no secret. Processes claim and
send; the job, which sees the same failures a little later, takes over the id, the message and what
became of it (docs/adr/0012). A claim that has expired is nobody's.
"""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from anchor_autopatch.core.alerting.attempts import Attempt
from anchor_autopatch.core.incidents import DAY_US, MINUTE_US

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "alerts"
LIFE_US = DAY_US
"""A claim of a process that no job has seen; after it the cause is told again."""
LEASE_US = 20_000_000
"""So long the job leaves a claimed message to the process that claimed it."""
AT_MOST = 20
"""Claims a minute on one host; beyond them the job tells, of many in one message."""
SILENCES = "silences"
"""Name of the file that tells processes what nobody is to be told of."""
_LOCK = ".lock"
_ENDING, _TRIES = ".json", ".tries"
_SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_PATIENCE = 50
_PAUSE_SECONDS = 0.01


class TooManyError(OSError):
    """More new incidents than are told one by one; the job tells of the rest."""


class Claim(NamedTuple):
    """One cause that is told of, or known to the job."""

    fingerprint: str
    incident_id: str
    claimed_at_us: int
    expires_at_us: int
    sinks: tuple[str, ...] = ()
    """That the claiming process sends to; none where the job claimed."""
    alert: dict[str, Any] | None = None
    """What that process sends, but for the sink in its key."""


class Claims:
    """The claims of one home. Every method may raise OSError: a full disk, a folder of others."""

    def __init__(self, home: str) -> None:
        self._folder = os.path.join(home, FOLDER)

    def find(self, fingerprint: str, now_us: int) -> Claim | None:
        """The claim of a cause; None when there is none that has not expired."""
        found = self._read(fingerprint)
        return found if found is not None and found.expires_at_us > now_us else None

    def take(self, wanted: Claim) -> Claim:
        """Claims a cause, and returns the claim that holds: this one, or that which came first.

        Raises:
            TooManyError: a process asks, and too many were claimed within the last minute.
        """
        with self._locked():
            holds = self.find(wanted.fingerprint, wanted.claimed_at_us)
            if holds is not None:
                return holds
            if wanted.alert is not None and self._recent(wanted.claimed_at_us) >= AT_MOST:
                raise TooManyError("too many new incidents within a minute")
            self._remove(wanted.fingerprint + _TRIES)
            self._write(wanted)
            return wanted

    def keep(self, claim: Claim) -> None:
        """Puts a claim in the place of whatever is there; for the job, which knows the incident."""
        with self._locked():
            self._write(claim)

    def drop(self, fingerprint: str) -> None:
        """Removes a claim and its tries."""
        with self._locked():
            self._remove(fingerprint + _ENDING)
            self._remove(fingerprint + _TRIES)

    def all(self) -> list[Claim]:
        """Every claim, expired ones too."""
        names = sorted(name for name in self._names() if name.endswith(_ENDING))
        found = (self._read(name.removesuffix(_ENDING)) for name in names)
        return [claim for claim in found if claim is not None]

    def note(self, fingerprint: str, tried: Attempt) -> None:
        """Adds a try to what became of a claimed message: one line in one write."""
        line = json.dumps(tried._asdict(), ensure_ascii=False) + "\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _SAFELY
        descriptor = os.open(self._path(fingerprint + _TRIES), flags, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)

    def tries(self, fingerprint: str) -> list[Attempt]:
        """The tries of a claimed message; a line that was cut short by a full disk is left out."""
        try:
            with open(self._path(fingerprint + _TRIES), encoding="utf-8") as lines:
                return [tried for line in lines if (tried := _parsed(line)) is not None]
        except FileNotFoundError:
            return []

    def put(self, name: str, value: object) -> None:
        """Writes a file of the folder, whole or not at all; readable by its owner only."""
        self._make_folder()
        temporary = self._path(f".{os.urandom(6).hex()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
                json.dump(value, file, ensure_ascii=False)
            os.replace(temporary, self._path(name))
        except BaseException:
            self._remove(os.path.basename(temporary))
            raise

    def get(self, name: str) -> object:
        """What `put` wrote under this name; None when it is not there or cannot be read."""
        try:
            with open(self._path(name), encoding="utf-8") as file:
                return json.load(file)
        except (FileNotFoundError, ValueError, RecursionError):
            return None

    def _read(self, fingerprint: str) -> Claim | None:
        found = self.get(fingerprint + _ENDING)
        try:
            claim = Claim(**cast("dict[str, Any]", found))
            return claim._replace(
                expires_at_us=int(claim.expires_at_us), sinks=tuple(map(str, claim.sinks))
            )
        except (TypeError, ValueError):
            # Written by another version, or by nobody of ours: as if it were not there.
            return None

    def _write(self, claim: Claim) -> None:
        name = claim.fingerprint + _ENDING
        self.put(name, claim._asdict())
        # When it was claimed, so that new ones are counted without being read.
        claimed_ns = claim.claimed_at_us * 1000
        os.utime(self._path(name), ns=(claimed_ns, claimed_ns))

    def _recent(self, now_us: int) -> int:
        after_ns = (now_us - MINUTE_US) * 1000
        with os.scandir(self._folder) as entries:
            return sum(
                entry.name.endswith(_ENDING)
                and entry.stat(follow_symlinks=False).st_mtime_ns > after_ns
                for entry in entries
            )

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._folder)
        except FileNotFoundError:
            return []

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _make_folder(self) -> None:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        found = os.lstat(self._folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise OSError(f"{self._folder!r} is no folder of ours")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the lock of all claims; a holder that hangs is not waited for."""
        from fcntl import LOCK_UN, flock

        self._make_folder()
        descriptor = os.open(self._path(_LOCK), os.O_RDWR | os.O_CREAT | _SAFELY, 0o600)
        try:
            _wait_for(descriptor)
            try:
                yield
            finally:
                # By name: a child that was forked meanwhile holds a copy of the descriptor, and
                # closing ours would leave the lock to it.
                flock(descriptor, LOCK_UN)
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int) -> None:
    from fcntl import LOCK_EX, LOCK_NB, flock

    for left in reversed(range(_PATIENCE)):
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _parsed(line: str) -> Attempt | None:
    try:
        return Attempt(**json.loads(line))
    except (TypeError, ValueError):
        return None
