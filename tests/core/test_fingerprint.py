"""Events of one cause share a fingerprint; other causes have another one."""

from __future__ import annotations

import pytest

from anchor_autopatch.core.fingerprint import COUNT_ONLY, fingerprint, template
from tests.job.outboxes import event


@pytest.mark.parametrize(
    "other",
    [
        {"service": "desk", "team": "support", "environment": "staging"},
        {"exception_type": "InternalServerError", "message": "Overloaded, req_8812"},
        {"http_status": 529, "code": "overloaded_error"},
        {"request_model": "gpt-5", "operation": "responses", "sdk": "litellm>openai"},
        {"retried": 1, "attempts": 2, "request_id": "r-2", "call_site": "app.py:chat"},
    ],
    ids=["who", "words", "status", "what", "try"],
)
def test_one_outage_is_one_cause_whoever_sees_it(other):
    seen = event(1, event_class="provider_overloaded", http_status=503)

    assert fingerprint(seen._replace(**other)) == fingerprint(seen)


@pytest.mark.parametrize(
    "other",
    [
        {"provider": "anthropic"},
        {"dependency": "eu.api.openai.com"},
        {"event_class": "billing_exhausted"},
        {"event_class": "timeout"},
    ],
    ids="-".join,
)
def test_another_cause_has_another_fingerprint(other):
    assert fingerprint(event(1)._replace(**other)) != fingerprint(event(1))


def test_account_limits_are_told_apart_by_code():
    balance = event(1, event_class="billing_exhausted", code="credit_balance_exhausted")
    project = event(2, event_class="billing_exhausted", code="project_spend_limit_exceeded")

    assert fingerprint(balance) != fingerprint(project)


def test_application_errors_are_told_apart_by_service():
    error = event(1, event_class="app_error", provider=None, dependency=None)

    assert fingerprint(error) != fingerprint(error._replace(service="desk"))


def test_numbers_in_a_message_do_not_tell_causes_apart():
    first = event(1, event_class="app_error", provider=None, message="order 4711 of ana@x.org")
    second = first._replace(message="order 8 of bob@y.org")

    assert fingerprint(first) == fingerprint(second)


@pytest.mark.parametrize("event_class", sorted(COUNT_ONLY))
def test_daily_work_is_no_incident(event_class):
    assert fingerprint(event(1, event_class=event_class)) is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("GET https://a.b/c?d=1 failed", "GET <x> failed"),
        ("no row 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "no row <x>"),
        ("10.0.0.5:6379 refused after 1.5 s", "<x> refused after <x> s"),
        ("cannot open '/etc/app.toml'", "cannot open <x>"),
        ("file /var/lib/app/7.db is locked", "file <x> is locked"),
        ("pointer 0xdeadbeef, hash 9f86d081884c7d65", "pointer <x>, hash <x>"),
        ("facade decade", "facade decade"),
    ],
)
def test_what_changes_is_left_out(message, expected):
    assert template(message) == expected


def test_template_of_a_hostile_message_is_fast():
    message = ("/" + "a" * 40) * 200 + "\"'" * 300 + "1." * 400

    assert len(template(message)) < len(message)
