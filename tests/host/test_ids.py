"""Ids are UUIDs of version 7, in the order in which they were made."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from anchor_autopatch.host import ids


@pytest.mark.parametrize("new", [ids.uuid7, ids.Sequence().new], ids=["alone", "counted"])
def test_id_is_a_uuid_of_version_7_with_its_time(new):
    before = time.time_ns() // 1_000_000

    made = uuid.UUID(text := new())

    assert (str(made), made.version, made.variant) == (text, 7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_every_sequence_gives_ids_of_full_length():
    made = [ids.Sequence().new() for _ in range(2_000)]

    # Its last part is random: of 2,000 first ones, 125 would begin with a nought.
    assert {(len(one), one.count("-"), str(uuid.UUID(one)) == one) for one in made} == {
        (36, 4, True)
    }


def test_threads_share_a_sequence_without_a_repetition():
    sequence = ids.Sequence()

    with ThreadPoolExecutor(4) as pool:
        made = [*pool.map(lambda _: sequence.new(), range(4_000))]

    assert len(set(made)) == 4_000


def test_later_id_is_larger_within_a_process():
    sequence = ids.Sequence()

    made = [sequence.new() for _ in range(1_000)]

    assert made == sorted(made)
