"""What rots in the files of dead writers is named, and nothing that it changed arrives."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from anchor_autopatch.core import outbox_format
from anchor_autopatch.host.storage.writer import Writer
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.chaos.corruption import KINDS, lose
from tests.job.outboxes import START_US, event, receipt

NOW = datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(days=1)
_ROWS = 12
_ORDERLY = 0.3
"""Of the writers, closed in order: their rows lie in the database, the others' in the log."""


class Left(NamedTuple):
    """What a dead writer left."""

    path: Path
    rows: dict[str, str]
    """Receipt or event id -> what it says, as acknowledged."""


def _write(writer, number):
    rows = {}
    for row_number in range(number * _ROWS, (number + 1) * _ROWS):
        if row_number % 6 == 5:
            row = event(row_number, message=f"Too many requests, says {row_number}")
            writer.append(outbox_format.INSERT_EVENT, row)
            rows[row.event_id] = row.message
        else:
            usage = f'{{"prompt_tokens": {row_number}, "completion_tokens": 7}}'
            row = receipt(row_number, raw_usage=usage)
            writer.append(outbox_format.INSERT_RECEIPT, row)
            rows[row.receipt_id] = usage
    return rows


def _leave(home, rng, number):
    """The files of a writer that died, under `home`, unknown to any connection of this process."""
    writer = Writer()
    rows = _write(writer, number)
    made = Path(writer.file.path)
    if rng.random() < _ORDERLY:
        writer.file.close()
    (home / "outbox").mkdir(mode=0o700, exist_ok=True)
    for name in (made, made.with_name(f"{made.name}-wal"), made.with_suffix(".lock")):
        if name.exists():
            shutil.copy2(name, home / "outbox")
    if writer.file is not None:
        writer.file.close()
    return Left(home / "outbox" / made.name, rows)


def _rot(rng, left):
    """Damages the database or its log, and says how."""
    log = left.path.with_name(f"{left.path.name}-wal")
    rotten = rng.choice([left.path, log, log]) if log.exists() else left.path
    kind = rng.choice(KINDS)
    if kind is lose and rotten is left.path:
        # A file that is gone with its rows leaves a name in a folder that nobody keeps a list of.
        kind = KINDS[0]
    kind(rng, rotten)
    return f"{kind.__name__} in {'the log' if rotten == log else 'the database'}"


def _arrived(con):
    receipts = con.execute("SELECT receipt_id, raw_usage FROM receipt").fetchall()
    events = con.execute("SELECT event_id, message FROM exception_event").fetchall()
    return receipts + events


def _accused(con):
    """Paths that the warehouse names as damaged."""
    told = "SELECT path FROM quarantined_file UNION SELECT path FROM outbox_loss"
    return {path for (path,) in con.execute(told).fetchall()}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "damages",
    [pytest.param(100, marks=pytest.mark.slow), pytest.param(1_000, marks=pytest.mark.chaos)],
)
def test_damage_is_detected_and_named(synced_home, monkeypatch, damages, tell):
    monkeypatch.setenv("ANCHOR_HOME", str(synced_home / "writers"))
    rng = random.Random(damages)
    left = [_leave(synced_home, rng, number) for number in range(damages)]
    damaged = {file.path: _rot(rng, file) for file in left}

    with open_warehouse(synced_home) as con:
        ship(con, [synced_home], NOW)
        arrived, accused = _arrived(con), _accused(con)

    ids, acknowledged = {row_id for row_id, _ in arrived}, {}
    for file in left:
        acknowledged |= file.rows
    hurt = [file for file in left if not file.rows.keys() <= ids]
    silent = [damaged[file.path] for file in hurt if str(file.path) not in accused]
    tell(
        f"{damages:,} corruptions, {len(hurt)} took rows, {len(hurt) - len(silent)} of them named; "
        f"{len(acknowledged) - len(ids):,} of {len(acknowledged):,} rows lost"
    )
    assert silent == []
    assert len(ids) == len(arrived)
    assert dict(arrived).items() <= acknowledged.items()
    assert len(hurt) > damages / 5
