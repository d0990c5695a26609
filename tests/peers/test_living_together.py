"""With another observer in it an application has the same answers, spans and receipts."""

from __future__ import annotations

import pytest

from tests.peers.conftest import WORLDS
from tests.peers.observers import OBSERVERS

every_world = pytest.mark.parametrize("world", WORLDS)
every_other = pytest.mark.parametrize("other", [name for name in OBSERVERS if name != "nobody"])
either_order = pytest.mark.parametrize("order", ["before", "after"])
CALLS_THAT_COST = 13
"""Of the application's fourteen one is refused."""


@every_world
@every_other
@either_order
def test_answers_are_those_of_the_other_alone(application, world, other, order):
    both, alone = application(world, other, order), application(world, other, "never")

    assert both.told == alone.told


@every_world
@every_other
@either_order
def test_the_others_spans_are_still_there(application, world, other, order):
    both, alone = application(world, other, order), application(world, other, "never")

    assert both.spans == alone.spans
    assert both.spans


@every_world
@every_other
@either_order
def test_each_call_leaves_the_receipt_that_it_leaves_without_the_other(
    application, world, other, order
):
    both, alone = application(world, other, order), application(world, "nobody", order)

    assert [numbers(receipt) for receipt in both.receipts] == [
        numbers(receipt) for receipt in alone.receipts
    ]
    assert len(both.receipts) == CALLS_THAT_COST


@every_world
@every_other
@either_order
def test_refused_call_is_told_once_and_nothing_of_ours_fails(application, world, other, order):
    both = application(world, other, order)

    assert [event.event_class for event in both.events] == ["rate_limited"]


def numbers(receipt):
    """What a receipt says of the call, whoever watches beside us."""
    return (
        receipt.sdk,
        receipt.operation,
        receipt.request_model,
        receipt.outcome,
        receipt.stream,
        receipt.usage_source,
        receipt.raw_usage,
        receipt.billable,
    )
