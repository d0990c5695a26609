"""`[alerts]` of anchor.toml: what it says, and what is wrong with it."""

from __future__ import annotations

import tomllib

import pytest

from anchor_autopatch.core.alerting.rules import read_rules, wants
from anchor_autopatch.core.errors import ConfigError
from anchor_autopatch.core.policy.checking import check_config
from anchor_autopatch.job.incidents.records import HOUR_US
from tests.job.incidents.support import World
from tests.job.outboxes import event

GIVEN = """
[incidents]
quiet = "5m"

[alerts]
reminders = ["2h", "1d"]

[[alerts.sink]]
name = "ops"
kind = "slack"
url_env = "SLACK_URL"
minimum = "error"
second = "mail"

[[alerts.sink]]
name = "mail"
kind = "smtp"
url = "smtps://mail.example.com"
sender = "anchor@example.com"
recipients = ["ops@example.com"]
standby = true

[[alerts.sink]]
name = "search"
kind = "pagerduty"
secret_env = "ROUTING_KEY"
teams = ["search"]
classes = ["billing_exhausted"]
"""


def test_sections_are_read_and_known_to_policy_check():
    config = tomllib.loads(GIVEN)

    rules = read_rules(config, {})

    assert [sink.name for sink in rules.sinks] == ["ops", "mail", "search"]
    assert rules.sinks[2].url == "https://events.pagerduty.com/v2/enqueue"
    assert (rules.reminders, rules.minimum) == ((2 * HOUR_US, 24 * HOUR_US), "warning")
    assert check_config(config, 0) == []


@pytest.mark.parametrize(
    ("url", "kind"),
    [("https://hooks.slack.com/services/T/B/x", "slack"), ("https://x.example/in", "webhook")],
)
def test_one_variable_is_enough(url, kind):
    (sink,) = read_rules({}, {"ANCHOR_ALERT_URL": url}).sinks

    assert (sink.kind, sink.allow_private, sink.url) == (kind, False, None)


def test_operator_may_allow_his_own_network():
    environ = {"ANCHOR_ALERT_URL": "http://10.0.0.1/", "ANCHOR_ALERT_ALLOW_PRIVATE": "1"}

    assert read_rules({}, environ).sinks[0].allow_private


@pytest.mark.parametrize(
    ("fields", "teams", "wanted"),
    [
        ({}, [], True),
        ({"minimum": "critical"}, [], True),
        ({"classes": ("rate_limited",)}, [], False),
        ({"teams": ("search",)}, ["search", "support"], True),
        ({"teams": ("search",)}, ["support"], False),
        ({"standby": True}, [], False),
    ],
)
def test_sink_is_told_of_what_it_asks_for(tmp_path, fields, teams, wanted):
    world = World(tmp_path)
    world.happen(event(1, event_class="auth")).look(minutes=1)
    sink = read_rules(tomllib.loads(GIVEN), {}).sinks[0]._replace(**fields)

    assert wants(sink, world.only(), teams, ["chatbot"]) is wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alerts = 3", "expected a table"),
        ("[alerts]\nsinks = []", "Unknown key 'sinks'"),
        ("[alerts]\nsink = 3", "[[alerts.sink]]"),
        ("[[alerts.sink]]\nkind = 'slack'", "name of a sink"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'fax'", "Unknown kind 'fax'"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'webhook'", "needs url"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'slack'\nurl = 'https://x'", "needs url_env"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'pagerduty'", "needs secret_env"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'smtp'\nurl = 'smtp://x'", "sender and recipients"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'webhook'\nurl = 'x'\nminimum = 'loud'", "'loud'"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'webhook'\nurl = 'x'\nsecond = 'b'", "'b'"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'webhook'\nurl = 'x'\nsecret = 'y'", "'secret'"),
        ("[[alerts.sink]]\nname = 'a'\nkind = 'webhook'\nurl = 'x'\nallow_private = 1", "true or"),
        ("[alerts]\nreminders = ['soon']", "'soon'"),
    ],
)
def test_what_nobody_can_read_is_named(text, said):
    with pytest.raises(ConfigError) as refused:
        read_rules(tomllib.loads(text), {})

    assert said in str(refused.value)
