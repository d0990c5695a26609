"""Each kind of sink gets what it reads."""

from __future__ import annotations

import hashlib
import hmac
from email import message_from_string

import pytest

from anchor_autopatch.core.alerting.rules import Sink
from tests.job.delivery.faulty_sink import MailServer
from tests.job.delivery.support import Alerted
from tests.job.incidents.support import START
from tests.job.outboxes import event

HOSTILE = '<!channel> & <https://evil|click> "quoted"\nsecond line'


@pytest.fixture
def told(tmp_path, sink):
    """A function that lets a sink of this kind hear of an opened and ended incident."""

    def told(kind, **fields):
        environ = {"URL": sink.url, "SECRET": "whsec-old,whsec-new", "ROUTE": "R0UTE"}
        given = {"url_env": "URL", "allow_private": True} | fields
        alerted = Alerted(tmp_path, [Sink("ops", kind, **given)], environ)
        failing = event(1, event_class="app_error", provider=None, dependency=None)
        alerted.happen(failing._replace(message=HOSTILE, exception_type="KeyError"))
        alerted.look(minutes=1)
        alerted.send(minutes=1)
        alerted.look(minutes=15)
        alerted.send(minutes=15)
        return sink.received

    return told


def test_webhook_is_signed_by_both_live_secrets(told):
    opened, _ = told("webhook", secret_env="SECRET")

    parts = opened.headers["X-Anchor-Signature"].split(",")
    at = int(parts[0].removeprefix("t="))
    expected = [
        "v1=" + hmac.new(key, f"{at}.".encode() + opened.body, hashlib.sha256).hexdigest()
        for key in (b"whsec-old", b"whsec-new")
    ]
    assert (at, parts[1:]) == (int(START.timestamp()) + 60, expected)


def test_webhook_tells_the_whole_alert(told):
    opened, resolved = told("webhook")

    assert [each.json["kind"] for each in (opened, resolved)] == ["opened", "resolved"]
    assert opened.json["affected"][0]["service"] == "chatbot"
    assert opened.key == opened.json["key"] != resolved.key


def test_slack_gets_text_that_mentions_and_links_nothing(told):
    opened, resolved = told("slack")

    text = opened.json["blocks"][1]["text"]["text"]
    assert "&lt;!channel&gt; &amp; &lt;https://evil|click&gt;" in text
    assert "<" not in text + opened.json["text"]
    assert resolved.json["text"].startswith(":white_check_mark: [error] KeyError in chatbot")


def test_pagerduty_gets_one_alert_that_is_resolved(told):
    opened, resolved = told("pagerduty", secret_env="ROUTE")

    assert (opened.json["event_action"], resolved.json["event_action"]) == ("trigger", "resolve")
    assert opened.json["dedup_key"] == resolved.json["dedup_key"]
    assert (opened.json["routing_key"], opened.json["payload"]["severity"]) == ("R0UTE", "error")


def test_alertmanager_knows_the_alert_by_its_labels(told):
    opened, resolved = told("alertmanager")

    (first,), (last,) = opened.json, resolved.json
    assert first["labels"] == last["labels"]
    assert first["endsAt"] > last["endsAt"] > first["startsAt"]


def test_mail_of_one_incident_is_one_thread(tmp_path):
    with MailServer() as server:
        mail = Sink(
            "mail",
            "smtp",
            url=f"smtp://127.0.0.1:{server.port}",
            sender="anchor@example.com",
            recipients=("ana@example.com", "bob@example.com"),
            allow_private=True,
        )
        alerted = Alerted(tmp_path, [mail])
        alerted.happen(event(1, event_class="app_error", provider=None, message=HOSTILE))
        alerted.look(minutes=1)
        alerted.send(minutes=1)
        alerted.look(minutes=15)
        alerted.send(minutes=15)

    opened, resolved = map(message_from_string, server.messages)
    assert opened["References"] == resolved["References"]
    assert opened["Message-ID"] != resolved["Message-ID"]
    assert len(server.recipients) == 4


def test_mail_without_encryption_is_refused_beyond_ones_own_network(tmp_path):
    with MailServer() as server:
        mail = Sink(
            "mail",
            "smtp",
            url=f"smtp://mail.example:{server.port}",
            sender="a@example.com",
            recipients=("b@example.com",),
        )
        alerted = Alerted(tmp_path, [mail])
        alerted.fail()
        alerted.send(minutes=1)

    assert (server.messages, alerted.deliveries()[0].state) == ([], "pending")
