"""What `anchor doctor` says of the homes, from real outbox files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from anchor_autopatch.cli.doctor_checks import homes
from anchor_autopatch.cli.doctor_checks.finding import NOTE, PROBLEM, Finding
from anchor_autopatch.core import outbox_format, settings
from anchor_autopatch.host.storage import filesystems, quota
from anchor_autopatch.host.storage.outbox_file import OutboxFile
from tests.job.outboxes import START_US, event, receipt

NOW = START_US / 1_000_000 + 60


def _write(home: Path, *rows: object, dropped: int = 0, reason: str | None = None) -> Path:
    file = OutboxFile(str(home / "outbox"), dropped=dropped, reason=reason)
    for row in rows:
        insert = outbox_format.INSERT_RECEIPT if hasattr(row, "receipt_id") else None
        is_event = hasattr(row, "event_id")
        file.insert(outbox_format.INSERT_EVENT if is_event else str(insert), row)
    file.let_go()
    file._connection.close()
    return Path(file.path)


def _check(home: Path, now: float = NOW) -> dict[str, Finding]:
    return {finding.subject: finding for finding in homes.check(now)}


def _problem(home: Path) -> str:
    (found,) = [finding.text for finding in homes.check(NOW) if finding.status == PROBLEM]
    return found


def test_waiting_rows_are_counted(home: Path) -> None:
    path = _write(home, receipt(1), receipt(2), event(3))

    found = _check(home, path.stat().st_mtime)

    assert found["outbox"].text.startswith("3 rows in 1 file, ")


def test_last_receipt_has_an_age(home: Path) -> None:
    _write(home, receipt(1), receipt(30))

    assert _check(home)["last receipt"].text == "30 seconds ago"


def test_network_file_system_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(home, receipt(1))
    monkeypatch.setattr(filesystems, "network_type", lambda folder: "nfs4")

    found = _check(home)["disk"]

    assert (found.status, "network file system (nfs4)" in found.text) == (NOTE, True)


def test_outboxes_that_may_take_no_more_are_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _write(home, receipt(1))
    monkeypatch.setenv(quota.VARIABLE, "1")
    (path.parent / "heap.lock").write_bytes(bytes(1_000_001))

    assert "take 1 of 1 MB; run anchor ship, or raise ANCHOR_OUTBOX_MB" in _problem(home)


def test_outbox_that_nobody_ships_is_a_problem(home: Path) -> None:
    path = _write(home, receipt(1))

    found = _check(home, path.stat().st_mtime + 3 * 86_400)["outbox"]

    assert (found.status, "3 days ago: is anchor reconcile in cron?" in found.text) == (
        PROBLEM,
        True,
    )


def test_rows_lost_from_memory_are_a_problem(home: Path) -> None:
    _write(home, receipt(1), dropped=7, reason="OperationalError: disk is full")

    assert "lost 7 rows from memory before it could write: Operational" in _problem(home)


def test_slow_start_of_many_processes_is_one_note(home: Path) -> None:
    for number in range(3):
        unwritable = event(
            number,
            event_class="internal",
            dependency="outbox",
            exception_type="OutboxUnwritable",
            message="0 rows were lost and 0 waited in memory: OperationalError: locked",
        )
        _write(home, unwritable, reason="OperationalError: locked")

    told = [each for each in homes.check(NOW) if "locked" in each.text]

    assert [(each.status, "in 3 processes or files" in each.text) for each in told] == [
        (NOTE, True)
    ]


def test_fault_of_ours_is_a_problem_for_a_day(home: Path) -> None:
    fault = event(
        1,
        event_class="internal",
        dependency="openai",
        exception_type="TypeError",
        message="_close: x",
    )
    _write(home, fault, fault._replace(event_id="event-2"))

    assert _check(home)["openai"].text.startswith("2 faults of ours in the last day")
    assert "openai" not in _check(home, NOW + 2 * 86_400)


@pytest.mark.parametrize(
    ("host", "model", "line"),
    [
        ("gw.corp:8443", "gpt-4o", '"gw.corp:8443" = "openai", or "by-model" for a gateway'),
        ("gw.corp", "anthropic/claude-x", '"gw.corp" = "anthropic", or "by-model" for a gateway'),
        ("gw.corp", "acme/own", '"gw.corp" = "who invoices", or "by-model" for a gateway'),
        (
            "localhost:8000",
            "meta-llama/Llama-3",
            '"localhost:8000" = "hosted_vllm" for models of your own, "by-model" for a gateway',
        ),
    ],
)
def test_unmapped_host_comes_with_the_line_to_add(
    home: Path, host: str, model: str, line: str
) -> None:
    row = receipt(1, provider="unmapped", provider_host=host, request_model=model)
    _write(home, row)

    assert _problem(home) == f"1 call to {host}, on nobody's invoice; add to [hosts]: {line}"


def test_refused_home_says_where_receipts_go_instead(home: Path) -> None:
    home.chmod(0o777)

    fallback = settings.default_home()
    assert _problem(home).endswith(
        f"receipts go to {fallback}, which anchor ship reads when told: --home {fallback}"
    )


def test_salt_that_cannot_be_read_is_a_problem(home: Path) -> None:
    (home / settings.SALT_FILE).mkdir()

    assert "cannot be read, so no key is known again" in _problem(home)


def test_host_that_was_mapped_since_is_no_problem(home: Path) -> None:
    (home / "anchor.toml").write_text('[hosts]\n"gw.corp:8443" = "openai"\n')
    _write(home, receipt(1, provider="unmapped", provider_host="gw.corp:8443"))

    assert _check(home)["unmapped host"].text == "1 call to gw.corp:8443 from before it was mapped"


def test_damaged_file_is_a_problem(home: Path) -> None:
    (home / "outbox" / "x.db").write_bytes(b"no database at all, but long enough to be one" * 100)

    assert "x.db cannot be read (file is not a database)" in _problem(home)


def test_quarantine_is_a_problem(home: Path) -> None:
    (home / "quarantine").mkdir()
    (home / "quarantine" / "x.db").write_bytes(b"")

    assert _problem(home).startswith("1 damaged file in ")


@pytest.mark.parametrize("folder", [".", "outbox"])
def test_home_that_others_may_write_is_a_problem(home: Path, folder: str) -> None:
    (home / folder).chmod(0o777)

    assert "is writable by others; chmod 700" in _problem(home)


def test_home_that_cannot_be_made_is_a_problem(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_bytes(b"")
    monkeypatch.setenv("ANCHOR_HOME", str(home / "file" / "home"))

    assert "does not exist and this user cannot make it" in _problem(home)


def test_reading_leaves_the_file_as_it_was(home: Path) -> None:
    path = _write(home, receipt(1))
    with closing(sqlite3.connect(path)) as writer:
        before = path.read_bytes()

        homes.check(NOW)

        assert path.read_bytes() == before
        assert writer.execute("SELECT count(*) FROM receipt").fetchone() == (1,)


def test_refused_headers_are_noted_with_the_mend(home: Path) -> None:
    refused = event(1)._replace(event_class="headers_refused", code="untrusted", attempts=4)
    _write(home, refused, refused._replace(event_id="event-2", attempts=3))

    told = _check(home)["attribution headers"]
    assert told.status == NOTE
    assert told.text.startswith("7 requests in the last day not believed (untrusted)")
    assert "[inbound] trusted_networks" in told.text
