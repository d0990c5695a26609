"""capture_health tells who has gone silent, by how long each was silent before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from anchor_autopatch.job.publish import publish
from anchor_autopatch.job.ship import ship
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.outboxes import event, left_behind, receipt

NOW = datetime(2026, 9, 30, 12, 30, tzinfo=UTC)
SEEN = "SELECT service, silent_hours, longest_silence_hours, is_late FROM capture_health"


@pytest.fixture
def health(tmp_path):
    """A function that ships, publishes and gives what the report says of silences."""

    def look():
        with open_warehouse(tmp_path) as con:
            ship(con, [tmp_path], NOW)
            publish(con, tmp_path, NOW)
        with duckdb.connect(str(tmp_path / "report.duckdb"), read_only=True) as con:
            return con.execute(SEEN).fetchall()

    return look


def ago(hours):
    return int((NOW - timedelta(hours=hours)).timestamp()) * 1_000_000


def calls(*hours, service="chatbot"):
    """A receipt for each of these hours before now."""
    return [
        receipt(occurred_at_us=ago(each), service=service, receipt_id=f"{service}-{each}")
        for each in hours
    ]


# Every hour for ten days, but for a weekend.
REGULAR = [*range(40, 100), *range(148, 240)]


@pytest.mark.parametrize(
    ("since", "expected"),
    [(2, (2, 49, False)), (40, (40, 49, False)), (73, (73, 49, False)), (74, (74, 49, True))],
)
def test_service_is_late_after_half_as_much_again_as_its_longest_silence(
    health, tmp_path, since, expected
):
    left_behind(tmp_path, *calls(*(each - 40 + since for each in REGULAR)))

    assert health() == [("chatbot", *expected)]


def test_service_that_works_all_the_time_may_be_silent_for_two_hours(health, tmp_path):
    left_behind(tmp_path, *calls(*range(2, 240)))

    assert health() == [("chatbot", 2, 1, False)]


def test_service_that_is_new_is_not_judged(health, tmp_path):
    left_behind(tmp_path, *calls(*range(60, 200)))

    assert health() == [("chatbot", 60, 1, None)]


def test_failures_are_a_sign_of_life_too(health, tmp_path):
    failed = event(1, occurred_at_us=ago(1))
    left_behind(tmp_path, *calls(*range(60, 240)), failed)

    assert health() == [("chatbot", 1, 59, False)]


def test_each_program_is_judged_by_itself(health, tmp_path):
    # Two processes of one program take turns: none of them is missed.
    left_behind(tmp_path, *calls(*range(1, 240, 2)), name="one")
    left_behind(tmp_path, *calls(*range(2, 240, 2)), name="two")
    left_behind(tmp_path, *calls(*range(50, 240), service="batch"), name="other")

    assert sorted(health()) == [("batch", 50, 1, True), ("chatbot", 1, 1, False)]


def test_what_has_ended_four_weeks_ago_is_not_missed(health, tmp_path):
    left_behind(tmp_path, *calls(*range(700, 900)))

    assert health() == [("chatbot", None, None, None)]
