"""Rules on what is known only when a call is made: its call site, its host, its key."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch import attribute
from anchor_autopatch.host.capture.sites import fingerprint
from anchor_autopatch.host.request_context import Request


def ask(client):
    client.responses.create(model="gpt-4o", input="x")


def rule(condition, gives='team = "ruled"'):
    return f"[[rule]]\n{condition}\n{gives}\n"


@pytest.mark.parametrize(
    ("pattern", "team"),
    [
        (f"{__name__}:ask", "ruled"),
        ("tests.*:ask", "ruled"),
        ("*", "ruled"),
        ("tests.sdk", None),
        ("*:asks", None),
        ("TESTS.*", None),
        ("tests.sdk.attribution.test_rules.ask", None),
    ],
)
def test_call_site_gives_the_team(policy, openai_client, one_receipt, pattern, team):
    policy(rule(f"call_site = '{pattern}'"))

    ask(openai_client)

    assert one_receipt().team == team
    assert one_receipt().call_site == f"{__name__}:ask"


@pytest.mark.parametrize(
    ("pattern", "team"), [("127.0.0.1", "ruled"), ("127.0.0.1:*", "ruled"), ("10.*", None)]
)
def test_host_gives_the_team(policy, openai_client, one_receipt, pattern, team):
    policy(rule(f"host = '{pattern}'"))

    ask(openai_client)

    assert one_receipt().team == team


def test_key_gives_the_team_of_its_owner(policy, openai_client, receipts):
    theirs = openai_client.with_options(api_key="sk-theirs-0123456789abcdef")
    policy(rule(f"api_key = '{fingerprint('sk-theirs-0123456789abcdef')}'"))

    for client in (openai_client, theirs):
        ask(client)

    assert [receipt.team for receipt in receipts()] == [None, "ruled"]


def test_all_conditions_must_be_met(policy, openai_client, receipts):
    policy(rule("call_site = 'tests.*'\nroute = '/chat'"))

    ask(openai_client)
    with Request(route="/chat"):
        ask(openai_client)

    assert [receipt.team for receipt in receipts()] == [None, "ruled"]


def test_code_outranks_a_rule_and_a_rule_the_environment(
    policy, openai_client, one_receipt, monkeypatch
):
    monkeypatch.setenv("ANCHOR_TEAM", "environment")
    monkeypatch.setenv("ANCHOR_SERVICE", "environment")
    policy(rule("call_site = '*'", 'team = "rule"\nservice = "rule"'))

    with attribute(team="code"):
        ask(openai_client)

    receipt = one_receipt()
    assert (receipt.team, receipt.service) == ("code", "rule")
    assert json.loads(receipt.attribution_source) == {"service": "rule", "team": "code"}


@pytest.mark.parametrize("pattern", ["(a+)+$", ".*", "[", "a|b", "\\\\d", "*" * 50])
def test_pattern_has_no_meaning_but_the_star(policy, openai_client, one_receipt, pattern):
    policy(rule(f"call_site = '{pattern}'"))

    ask(openai_client)

    assert one_receipt().team == ("ruled" if set(pattern) == {"*"} else None)
