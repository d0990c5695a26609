"""The state of the homes: who may write there, what waits there, what the waiting rows tell."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from anchor_autopatch.cli.doctor_checks import outbox_file
from anchor_autopatch.cli.doctor_checks.finding import NOTE, OK, PROBLEM, Finding, count
from anchor_autopatch.cli.doctor_checks.outbox_file import Told
from anchor_autopatch.core import settings
from anchor_autopatch.core.hosts import UNMAPPED, is_local, provider_of_model
from anchor_autopatch.host.capture.sites import host_map
from anchor_autopatch.host.storage import filesystems, quota

_SHIPPED_WITHIN = 2 * 86_400
"""Seconds that a finished outbox may wait before somebody should look for the cron job."""
_SIZES = ("bytes", "KB", "MB", "GB")
_STEP = 1024


def check(now: float) -> list[Finding]:
    """ANCHOR_HOME, then the home that a process falls back to when it cannot write there."""
    first, fallback = Path(settings.home()), Path(settings.default_home())
    # Both: rows that went to the other home are shipped only when somebody names it.
    found = list(_home("ANCHOR_HOME", first, now))
    if fallback != first and fallback.exists():
        found += _home("fallback home", fallback, now)
    return found


def _home(subject: str, home: Path, now: float) -> Iterator[Finding]:
    if not home.exists():
        yield _missing(subject, home)
        return
    # The same rule as the writer's: who may write there could plant or read receipts.
    for folder in (home, home / settings.OUTBOX_FOLDER):
        if folder.exists() and (refused := _refused(folder)) is not None:
            yield Finding(subject, PROBLEM, f"{refused}; until then {_instead(home)}")
            return
    yield Finding(subject, OK, str(home))
    yield from _disk(home)
    yield from _salt(home / settings.SALT_FILE)
    yield from _outboxes(home / settings.OUTBOX_FOLDER, now)
    yield from _quarantine(home / settings.QUARANTINE_FOLDER)


def _disk(home: Path) -> Iterator[Finding]:
    """What the disk itself keeps from the outboxes."""
    kind = filesystems.network_type(str(home))
    if kind is not None:
        text = (
            f"{home} lies on a network file system ({kind}): an outbox there is shipped only when "
            "it is sealed or its process is gone; name a local folder"
        )
        yield Finding("disk", NOTE, text)
    folder = home / settings.OUTBOX_FOLDER
    try:
        if folder.exists():
            quota.expect_room(str(folder))
    except OSError as error:
        yield Finding("disk", PROBLEM, f"{error}; until then {_instead(home)}")


def _missing(subject: str, home: Path) -> Finding:
    above = next(folder for folder in home.parents if folder.exists())
    if os.access(above, os.W_OK | os.X_OK):
        return Finding(subject, NOTE, f"{home} does not exist yet; the first receipt makes it")
    text = f"{home} does not exist and this user cannot make it; mkdir -m 700 {home}"
    return Finding(subject, PROBLEM, text)


def _instead(home: Path) -> str:
    """Where receipts go while a home is refused."""
    fallback = Path(settings.default_home())
    if fallback == home:
        return "receipts wait in memory and die with their process"
    return f"receipts go to {fallback}, which anchor ship reads when told: --home {fallback}"


def _salt(path: Path) -> Iterator[Finding]:
    """The salt of key fingerprints, without which no two processes agree on a key."""
    if path.exists() and not (path.is_file() and os.access(path, os.R_OK)):
        text = f"{path} cannot be read, so no key is known again; chmod 600 {path}"
        yield Finding("key salt", PROBLEM, text)


def _refused(folder: Path) -> str | None:
    """Why the writer refuses a folder: it must be ours alone."""
    found = folder.stat()
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is not a folder"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{folder} is writable by others; chmod 700 {folder}"
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        return f"{folder} belongs to user {found.st_uid}, not to this one; choose another"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written by this user; chmod 700 {folder}"
    return None


def _outboxes(folder: Path, now: float) -> Iterator[Finding]:
    files = []
    for path in sorted(folder.glob("*.db")):
        told = outbox_file.read(path, now)
        if isinstance(told, str):
            text = f"{path} cannot be read ({told}); anchor ship sets a damaged file aside"
            yield Finding("outbox", PROBLEM, text)
        else:
            files.append(told)
    if not files:
        yield Finding("outbox", NOTE, "no receipts wait here to be shipped")
        return
    yield _waiting(files, now)
    yield _last_receipt(files, now)
    yield from _lost(files)
    yield from _faults(files)
    yield from _refused_headers(files)
    yield from _unmapped(files)


def _waiting(files: list[Told], now: float) -> Finding:
    rows, size = sum(told.rows for told in files), sum(told.size for told in files)
    text = f"{count(rows, 'row')} in {count(len(files), 'file')}, {_size(size)}"
    oldest = now - min(told.written_at for told in files)
    if rows and oldest > _SHIPPED_WITHIN:
        text += f"; one was last written {_age(oldest)} ago: is anchor reconcile in cron?"
        return Finding("outbox", PROBLEM, text)
    return Finding("outbox", OK, text)


def _last_receipt(files: list[Told], now: float) -> Finding:
    last = max((told.last_receipt_us for told in files if told.last_receipt_us), default=None)
    if last is None:
        return Finding("last receipt", NOTE, "none among the rows that wait here")
    return Finding("last receipt", OK, f"{_age(now - last / 1_000_000)} ago")


def _lost(files: list[Told]) -> Iterator[Finding]:
    """What the writers noted when they could not write."""
    delayed: Counter[tuple[str, str]] = Counter()
    for told in files:
        program, reason = _program(told), told.meta.get("opened_after")
        dropped = told.meta.get("rows_dropped_before")
        if dropped:
            text = f"{program} lost {dropped} rows from memory before it could write: {reason}"
            yield Finding("outbox", PROBLEM, text)
        elif reason:
            delayed[program, reason] += 1
    # Once for all files of a program: a server with a hundred workers writes a hundred of them.
    for (program, reason), times in sorted(delayed.items()):
        often = "" if times == 1 else f" in {times:,} processes or files"
        text = f"{program} could not write at first{often}, and lost nothing: {reason}"
        yield Finding("outbox", NOTE, text)


def _program(told: Told) -> str:
    name = told.meta.get("program")
    # What `python -c ...` calls itself.
    return "a process" if name in (None, "", "-c") else str(name)


def _faults(files: list[Told]) -> Iterator[Finding]:
    faults: Counter[tuple[str, str]] = Counter()
    for told in files:
        for target, what, times in told.faults:
            faults[target or "anchor", what] += times
    for (target, what), times in sorted(faults.items()):
        text = f"{count(times, 'fault')} of ours in the last day, calls may be missing: {what}"
        yield Finding(target, PROBLEM, text)


_REFUSALS = {
    "untrusted": "is it your gateway? list it under [inbound] trusted_networks, or let it sign",
    "invalid": "the signature does not fit: another secret, path or request id, or a forgery",
    "expired": "compare the clocks, or raise [inbound] max_age_seconds",
    "unknown key": "set the key in ANCHOR_HEADER_KEYS of this application, too",
    "value": "values consist of 1 to 64 of A-Z a-z 0-9 . _ : / @ -",
    "too many": "more than 1,000 values of one field; the rest is charged to __other__",
}


def _refused_headers(files: list[Told]) -> Iterator[Finding]:
    refused: Counter[str] = Counter()
    for told in files:
        for reason, times in told.refused_headers:
            refused[reason] += times
    for reason, times in sorted(refused.items()):
        hint = _REFUSALS.get(reason, "")
        text = f"{count(times, 'request')} in the last day not believed ({reason}): {hint}"
        yield Finding("attribution headers", NOTE, text)


def _unmapped(files: list[Told]) -> Iterator[Finding]:
    calls: Counter[str] = Counter()
    models: dict[str, str | None] = {}
    for told in files:
        for host, model, times in told.unmapped:
            calls[host or ""] += times
            models[host or ""] = model
    known = host_map()
    for host, times in sorted(calls.items()):
        if known.find(host) is not None:
            text = f"{count(times, 'call')} to {host} from before it was mapped"
            yield Finding("unmapped host", NOTE, text)
            continue
        text = f"{count(times, 'call')} to {host}, on nobody's invoice; add to [hosts]: "
        yield Finding("unmapped host", PROBLEM, text + _line(host, models[host]))


def _line(host: str, model: str | None) -> str:
    """What to write into `[hosts]`, as far as host and model tell it."""
    if is_local(host.rpartition(":")[0] or host):
        return f'"{host}" = "hosted_vllm" for models of your own, "by-model" for a gateway'
    guess = provider_of_model(model)
    if guess == UNMAPPED:
        return f'"{host}" = "who invoices", or "by-model" for a gateway'
    return f'"{host}" = "{guess}", or "by-model" for a gateway'


def _quarantine(folder: Path) -> Iterator[Finding]:
    files = list(folder.glob("*.db")) if folder.is_dir() else []
    if files:
        text = f"{count(len(files), 'damaged file')} in {folder}; anchor ship said what was saved"
        yield Finding("quarantine", PROBLEM, f"{text}; remove when you have looked at them")


def _age(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return count(int(seconds // length), unit)
    return count(max(0, int(seconds)), "second")


def _size(size: float) -> str:
    for unit in _SIZES[:-1]:
        if size < _STEP:
            return f"{size:,.0f} {unit}"
        size /= _STEP
    return f"{size:,.0f} {_SIZES[-1]}"
