"""Shares of a whole: exact in sum, fair to less than a unit, whatever the order."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.job.allocation.shares import allocate

WEIGHTS = st.lists(st.integers(0, 10**24), min_size=1, max_size=40)
AMOUNTS = st.integers(-(10**18), 10**18)


def numbered(values):
    return [(number,) for number in range(len(values))]


@given(AMOUNTS, WEIGHTS)
def test_shares_sum_to_the_amount(amount, weights):
    assert sum(allocate(amount, weights, numbered(weights))) == amount


@given(AMOUNTS, WEIGHTS)
def test_each_share_is_less_than_a_unit_from_exact(amount, weights):
    shares = allocate(amount, weights, numbered(weights))

    used = weights if any(weights) else [1] * len(weights)
    exact = [Fraction(amount * weight, sum(used)) for weight in used]
    assert all(abs(share - part) < 1 for share, part in zip(shares, exact, strict=True))


@given(AMOUNTS, WEIGHTS, st.randoms(use_true_random=False))
def test_order_of_the_weights_does_not_matter(amount, weights, random):
    pairs = list(zip(numbered(weights), weights, strict=True))
    expected = dict(
        zip(numbered(weights), allocate(amount, weights, numbered(weights)), strict=True)
    )

    random.shuffle(pairs)

    keys, shuffled = [key for key, _ in pairs], [weight for _, weight in pairs]
    assert dict(zip(keys, allocate(amount, shuffled, keys), strict=True)) == expected


@given(AMOUNTS, WEIGHTS)
def test_a_negative_amount_mirrors_the_positive_one(amount, weights):
    keys = numbered(weights)

    assert allocate(-amount, weights, keys) == [-share for share in allocate(amount, weights, keys)]


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (100, [84, 16], [84, 16]),
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (1, [3, 5, 5], [0, 1, 0]),
        (2, [0, 0, 0], [1, 1, 0]),
        (7, [0, 1], [0, 7]),
        (0, [5, 0], [0, 0]),
    ],
    ids=["exact", "tie to key", "negative", "tie to weight", "all zero: even", "zero", "nothing"],
)
def test_missing_units_go_to_the_largest_remainders(amount, weights, shares):
    assert allocate(amount, weights, numbered(weights)) == shares


@pytest.mark.parametrize("weights", [[], [1, -1]], ids=["none", "negative"])
def test_weights_that_divide_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="Cannot divide 5"):
        allocate(5, weights, numbered(weights))
