"""`anchor policy check` names section, key, value and what was expected, for what the job reads."""

from __future__ import annotations

import tomllib

import pytest

from anchor_autopatch.cli.policy.job_sections import problems

WRONG = {
    "mode": ('[close]\nmode = "x"', "'x' for 'mode' in [close]; known: showback"),
    "month": ('[close.modes]\n"2026-13" = "showback"', "'2026-13' in [close.modes]; write it as"),
    "mode of a month": ('[close.modes]\n"2026-12" = "x"', "'x' for '2026-12' in [close]"),
    "category": ('[close.owners]\nprice = "dora"', "'price' in [close.owners]; known: price_drift"),
    "owner": ("[close.owners]\nprice_drift = 7", "7 for 'price_drift' in [close]; expected a name"),
    "signers": ('[close]\nsigners = "bob"', "'bob' for 'signers' in [close]; expected a list"),
    "amount": ("[close]\nteam_threshold = 0.1", "0.1 for 'team_threshold' in [close]; expected"),
    "hours": ('[close]\nsettle_hours = "a"', "'a' for 'settle_hours' in [close]; expected"),
    "floor": ("[variance]\nfloor = -1", "-1 for 'floor' in [variance]; expected 0 or more"),
    "variance": ("[variance]\npercents = 1", "'percents' in [variance]; known: percent"),
    "policy": ('[allocation.buckets]\nidle = "evn"', "'evn' of 'idle'; known: hold"),
    "bucket": ('[allocation.buckets]\nidel = "even"', "'idel' in [allocation]; known: unalloc"),
    "owner of a bucket": (
        '[allocation.buckets]\nidle = { policy = "owner", servicce = "x" }',
        "'servicce' in [allocation.buckets.idle]; known: policy, shares, team",
    ),
    "share": (
        '[allocation.buckets]\nidle = { policy = "fixed", shares = [{ team = "a", percnt = 5 }] }',
        "'percnt' in [allocation.buckets.idle.shares]; known: team",
    ),
    "percent": (
        '[allocation.buckets]\nidle = {policy = "fixed", shares = [{team = "a", percent = 500}]}',
        "500 of 'idle' is none; expected 0 to 100",
    ),
    "commitment": (
        '[[allocation.commitment]]\nprovider = "azure"\ncapacity = 5',
        "'capacity' in [allocation.commitment]; known: provider",
    ),
    "capacity": (
        '[[allocation.commitment]]\nprovider = "azure"\ncapacity_tokens = -5',
        "-5 of 'azure': expected tokens a month",
    ),
    "time zone": (
        '[allocation.time_zones]\ngemini = "Mars"',
        "no time zone 'Mars'; expected a name",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_named_with_its_key(case):
    text, told = WRONG[case]

    ((section, problem),) = problems(tomllib.loads(text))

    assert told in problem
    assert text.startswith((f"[{section}", f"[[{section}"))


def test_sections_as_documented_are_right():
    text = """
        [close]
        preparers = ["ana"]
        settle_hours = 48
        [close.modes]
        "2026-11" = "chargeback"
        [variance]
        percent = 2.5
        [allocation.buckets]
        rounding = "even"
        idle = { policy = "owner", team = "platform", service = "shared" }
        [allocation.time_zones]
        gemini = "America/Los_Angeles"
    """

    assert list(problems(tomllib.loads(text))) == []
