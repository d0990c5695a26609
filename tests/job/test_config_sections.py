"""`anchor policy check` names section, key, value and what was expected, for what the job reads."""

from __future__ import annotations

import tomllib

import pytest

from anchor_autopatch.cli.policy.job_sections import problems
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.job.variance.rules import read_variance_rules

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
    "source": ('[prices]\nstarts_from = "x"', "'x' for 'starts_from' in [prices]"),
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


SEVERAL = {
    "close": (
        '[close]\nsigner = ["bob"]\nmode = "x"\nsettle_hours = -1\napprovers = "ana"\n'
        '[close.modes]\n"2026-13" = "showback"\n"2026-12" = "y"\n[close.owners]\nprice = "dora"',
        ["'signer'", "'ana'", "'x'", "'2026-13'", "'y'", "'price'", "-1"],
    ),
    "variance": (
        '[variance]\npercents = 1\nfloor = -1\nline_percent = "a"',
        ["'percents'", "-1", "'a'"],
    ),
    "incidents": ('[incidents]\nquite = "1m"\nquiet = 5', ["'quite'", "5"]),
    "retention": (
        '[retention]\ndays = 5\nreceipts_days = "x"\narchive_days = 0',
        ["'days'", "'x'", "0"],
    ),
    "allocation": (
        '[allocation]\nbuket = 1\n[allocation.buckets]\nidle = "evn"\nidel = "even"\n'
        'rounding = { policy = "fixed", shares = [{team = "a", percent = 500}, {percent = 5}] }\n'
        '[[allocation.commitment]]\nprovider = 7\n[allocation.time_zones]\ngemini = "Mars"',
        ["'buket'", "'evn'", "'idel'", "500", "Who gets", "{'provider': 7}", "'Mars'"],
    ),
    "alerts": (
        '[alerts]\nremind = 1\nreminders = ["1x"]\n'
        '[[alerts.sink]]\nname = "a"\nkind = "slak"\nminimum = "loud"\nteams = "search"\n'
        'second = "b"\n[[alerts.sink]]\nname = "b"\nkind = "webhook"\nurl = "https://x.example"\n'
        'second = "c"\n[alerts.heartbeat]\nevery = "1m"',
        ["'remind'", "'search'", "'slak'", "'loud'", "second sink 'c'", "'url_env'", "'1x'"],
    ),
}


@pytest.mark.parametrize("section", SEVERAL)
def test_every_mistake_of_a_section_is_told_once(section):
    text, told = SEVERAL[section]

    found = list(problems(tomllib.loads(text)))

    assert {where for where, _ in found} == {section}
    assert len(found) == len(told)
    for (_, problem), words in zip(found, told, strict=True):
        assert words in problem


def test_who_needs_a_section_hears_of_the_first_mistake_and_of_how_many():
    with pytest.raises(ConfigError) as caught:
        read_variance_rules(tomllib.loads(SEVERAL["variance"][0]))

    assert str(caught.value) == (
        "Unknown key 'percents' in [variance]; known: percent, floor, line_percent, price_percent "
        "(and 2 more; anchor policy check lists them all)"
    )
