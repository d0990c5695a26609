"""Patterns of rules: a star stands for any characters, and takes no time to speak of."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor_autopatch.core.policy.records import Rule
from anchor_autopatch.host.attribution.rules import Circumstances, Rules


def met(pattern, value, what="call_site"):
    here = Circumstances(None, None, None, None, None, None)._replace(**{what: value})
    return bool(Rules((Rule({what: pattern}, {"team": "t"}),)).fields_for(here))


@pytest.mark.parametrize(
    ("pattern", "value", "is_met"),
    [
        ("a:b", "a:b", True),
        ("a:*", "a:", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "ace", True),
        ("a*a", "a", False),
        ("*aa*aa*", "aaa", False),
        ("", "", True),
        ("*", "", True),
        ("*", None, False),
    ],
)
def test_star_stands_for_any_characters(pattern, value, is_met):
    assert met(pattern, value) is is_met


@settings(deadline=None)
@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_pattern_means_what_a_regular_expression_would(pattern, value):
    same = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value)

    assert met(pattern, value) is (same is not None)


def test_many_stars_take_no_time():
    started = time.process_time()

    assert not met("*a" * 500 + "*b", "a" * 10_000)

    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("pattern", ["Gateway.Internal", "gateway.internal:4000", "*.internal"])
def test_host_is_compared_with_and_without_its_port(pattern):
    assert met(pattern, "gateway.internal:4000", "host")
