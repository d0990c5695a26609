"""A month on the word of a cost API is closed only when that word has come to rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.close import read_rules, review
from anchor_autopatch.job.invoices import TypedTotal, add_total, import_file
from anchor_autopatch.job.warehouse import open_warehouse
from tests.job.billed import NOW, add_call, allocate
from tests.job.closed import CONFIG
from tests.job.invoices.files import save

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
ENDED = datetime(2026, 11, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def con(tmp_path):
    with open_warehouse(tmp_path) as con:
        add_call(con, "r1", "chatbot", "1", provider="openai")
        yield con


def fetched(con, folder, now, *, last=1.0, days=31):
    """What OpenAI says of October at that instant: a dollar a day, the last day apart."""
    starts = [int((FIRST + day * DAY).timestamp()) for day in range(days + 1)]
    amounts = [1.0] * (days - 1) + [last]
    buckets = [
        {
            **{"object": "bucket", "start_time": start, "end_time": end},
            "results": [
                {"amount": {"value": value, "currency": "usd"}, "line_item": "gpt-5, input"}
            ],
        }
        for value, start, end in zip(amounts, starts, starts[1:], strict=False)
    ]
    page = {"object": "page", "data": buckets, "has_more": False, "next_page": None}
    import_file(con, save(folder, page, f"{now:%d%H}.json"), now)


def reviewed(con, **close):
    allocate(con)
    rules = read_rules({"close": CONFIG["close"] | close})
    return review(con, rules, "2026-10", "ana", NOW)


def test_two_fetches_that_agree_a_day_apart_let_a_month_close(con, tmp_path):
    fetched(con, tmp_path, ENDED)
    fetched(con, tmp_path, ENDED + DAY)

    assert reviewed(con).digest


@pytest.mark.parametrize(
    ("fetches", "told"),
    [
        ([(ENDED, 1.0)], "1 fetches since the month ended"),
        ([(ENDED, 1.0), (ENDED + DAY / 2, 1.0)], "2 fetches since the month ended"),
        ([(ENDED, 1.0), (ENDED + DAY, 1.5)], "the same since 2026-11-02 06:00"),
        ([(ENDED, 1.0), (ENDED + DAY, 2.0), (ENDED + 2 * DAY, 3.0)], "since 2026-11-03 06:00"),
    ],
    ids=["once", "too close", "restated", "restated twice"],
)
def test_figures_that_may_move_are_not_reviewed(con, tmp_path, fetches, told):
    for now, last in fetches:
        fetched(con, tmp_path, now, last=last)

    with pytest.raises(ConfigError, match=told):
        reviewed(con)


def test_a_fetch_that_lacks_the_last_day_does_not_count(con, tmp_path):
    fetched(con, tmp_path, ENDED, days=30)
    fetched(con, tmp_path, ENDED + DAY, days=30)

    with pytest.raises(ConfigError, match="no fetch of all its days"):
        reviewed(con)


def test_a_typed_total_settles_the_month_at_once(con, tmp_path):
    fetched(con, tmp_path, ENDED)
    add_total(con, TypedTotal("openai", "2026-10", "31.00", "USD", "", None, None), NOW)

    assert reviewed(con).digest


def test_no_wait_is_a_decision(con, tmp_path):
    fetched(con, tmp_path, ENDED)

    assert reviewed(con, settle_hours=0).digest


@pytest.mark.parametrize("hours", [-1, 1.5, "24", True])
def test_hours_that_are_none_are_named(hours):
    with pytest.raises(ConfigError, match="'settle_hours' in \\[close\\]"):
        read_rules({"close": {"settle_hours": hours}})
