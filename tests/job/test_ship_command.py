"""`anchor ship` as typed: what it prints, how it exits, and many of it at once."""

from __future__ import annotations

import json
import subprocess
import sys

import duckdb
import pytest

from anchor_autopatch.cli import main
from anchor_autopatch.job.lease import JOB_LOCK, lease
from tests.job.outboxes import event, left_behind, receipt

FOLLOW = (sys.executable, "-m", "anchor_autopatch", "ship", "--follow", "--interval", "0.05")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("ANCHOR_HOME", str(tmp_path))
    monkeypatch.delenv("ANCHOR_CONFIG", raising=False)
    monkeypatch.delenv("ANCHOR_STORE", raising=False)


def run(capsys, *words):
    code = main(words)
    found = capsys.readouterr()
    return code, found.out, found.err


def test_ship_says_what_it_moved(tmp_path, capsys):
    left_behind(tmp_path, receipt(1), event(2))

    code, out, _ = run(capsys, "ship")

    assert (code, out) == (
        0,
        "Shipped receipts: 1, exception events: 1, from outboxes: 1.\n",
    )


def test_ship_without_outboxes_says_so(tmp_path, capsys):
    code, out, _ = run(capsys, "ship")

    assert (code, out) == (0, f"Nothing to ship: no outbox in {tmp_path}/outbox.\n")


def test_second_job_leaves_the_work_to_the_first(tmp_path, capsys):
    path = left_behind(tmp_path, receipt(1))
    with lease(tmp_path / JOB_LOCK):
        code, out, err = run(capsys, "ship")

    assert (code, out, path.exists()) == (0, "", True)
    assert "Another job is at work" in err


def test_ship_reads_several_homes(tmp_path, capsys):
    left_behind(tmp_path / "a", receipt(1))
    left_behind(tmp_path / "b", receipt(2))

    _, out, _ = run(
        capsys, "ship", "--home", str(tmp_path / "a"), "--home", str(tmp_path / "b"), "--json"
    )

    assert json.loads(out)["receipts"] == 2
    assert (tmp_path / "a" / "warehouse.duckdb").exists()


def test_unknown_store_is_named(capsys):
    code, _, err = run(capsys, "ship", "--store", "postgresql://db")

    assert (code, err) == (2, "anchor: Unknown store 'postgresql://db'; known: duckdb\n")


def test_home_that_cannot_be_made_is_named(capsys):
    code, _, err = run(capsys, "ship", "--home", "/proc/nowhere")

    assert code == 2
    assert "Cannot use '/proc/nowhere' as ANCHOR_HOME" in err


def test_warehouse_in_use_is_said_in_words(tmp_path, capsys):
    run(capsys, "ship")
    hold = (
        "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    command = (sys.executable, "-c", hold, str(tmp_path / "warehouse.duckdb"))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        reader.stdout.readline()
        code, _, err = run(capsys, "ship")
        reader.communicate("\n")

    assert code == 2
    assert "is in use by another process" in err


@pytest.mark.slow
def test_ten_shippers_at_once_ship_everything_once(tmp_path):
    for number in range(10):
        records = [receipt(number * 100 + place) for place in range(50)]
        left_behind(tmp_path, *records, name=f"writer-{number}")
    command = (sys.executable, "-m", "anchor_autopatch", "ship")

    shippers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(10)]
    codes = {shipper.wait() for shipper in shippers}

    again = subprocess.run((*command, "--json"), capture_output=True, check=True)
    assert (codes, json.loads(again.stdout)["outboxes"]) == ({0}, 0)


@pytest.mark.slow
def test_follow_waits_for_a_warehouse_that_is_in_use(tmp_path):
    main(["ship"])
    path = left_behind(tmp_path, receipt(1))
    holder = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    with subprocess.Popen(
        FOLLOW, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as follower:
        try:
            refused = [follower.stderr.readline() for _ in range(2)]
            holder.close()

            line = follower.stdout.readline()
        finally:
            follower.kill()

    assert all("is in use by another process" in line for line in refused)
    assert [line.rpartition("again in ")[2] for line in refused] == ["0.1 s\n", "0.2 s\n"]
    assert line == "Shipped receipts: 1, exception events: 0, from outboxes: 1.\n"
    assert not path.exists()


def test_follow_ships_what_comes_later(tmp_path):
    with subprocess.Popen(FOLLOW, stdout=subprocess.PIPE, text=True) as follower:
        try:
            follower.stdout.readline()
            path = left_behind(tmp_path, receipt(1))

            line = follower.stdout.readline()
        finally:
            follower.kill()

    assert line == "Shipped receipts: 1, exception events: 0, from outboxes: 1.\n"
    assert not path.exists()
