"""Measuring fills the meters of the warehouse once per receipt and version."""

from __future__ import annotations

import pytest

from anchor_autopatch.job.meters import measure
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.priced import NOW, add


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        yield con


def test_each_receipt_is_measured_once(con):
    add(con, "r1")
    add(con, "r2")

    assert measure(con, NOW).measured_count == 2
    assert measure(con, NOW).measured_count == 0


def test_older_version_is_measured_anew(con):
    add(con)
    measure(con, NOW)
    con.execute("UPDATE receipt_meters SET meter_version = 0, input_tokens = 7")

    measure(con, NOW)

    assert con.execute("SELECT input_tokens FROM receipt_meters").fetchall() == [(1000,)]


@pytest.mark.parametrize("text", ["{", "[1]", "7", '"x"', "NaN", "[" * 100_000])
def test_unreadable_usage_is_flagged_and_the_run_goes_on(con, text):
    add(con, "bad", usage=None, raw_usage=text)
    add(con, "good")

    report = measure(con, NOW)

    assert (report.measured_count, report.mismatch_count) == (2, 1)


@pytest.mark.parametrize("absurd", [10**15, 10**19, 10**40])
def test_absurd_counts_are_flagged_and_the_run_goes_on(con, absurd):
    usage = {"prompt_tokens": absurd, "completion_tokens": 1, "total_tokens": absurd + 1}
    add(con, "bad", usage=usage, facts={"images": absurd, "seconds": absurd, "cost": absurd})

    assert measure(con, NOW).mismatch_count == 1


def test_batches_cover_every_receipt(con):
    for number in range(5):
        add(con, f"r{number}")

    measure(con, NOW, batch_size=2)

    assert con.execute("SELECT COUNT(DISTINCT receipt_id) FROM receipt_meters").fetchone() == (5,)
