"""What outranks what when a failure is classed: money, prose, codes, the status, then words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor_autopatch.core.failures import EVENT_CLASSES, KNOWN_CODES, Failure, classify


def _class(
    *,
    status: int | None = None,
    code: str | None = None,
    kind: str | None = None,
    message: str = "",
    exception: str = "APIError",
) -> str:
    return classify(Failure(exception, status, code, kind, message))


def test_spent_credit_is_no_rate_limit() -> None:
    assert _class(status=429, code="insufficient_quota") == "billing_exhausted"
    assert _class(status=429, kind="insufficient_quota") == "billing_exhausted"
    assert _class(status=429, code="rate_limit_exceeded") == "rate_limited"


def test_limit_of_a_linked_organization_is_about_money() -> None:
    assert _class(status=429, code="linked_organization_spend_limit") == "billing_exhausted"


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (400, "invalid_request_error", "Your credit balance is too low", "billing_exhausted"),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass one.", "auth"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens", "context_length"),
        (429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProject", "quota_daily"),
        (400, "invalid_request_error", "max_tokens: must be above 0", "bad_request"),
    ],
)
def test_prose_outranks_a_broad_code(status: int, code: str, message: str, expected: str) -> None:
    assert _class(status=status, code=code, message=message) == expected


def test_code_outranks_the_status() -> None:
    assert _class(status=400, code="context_length_exceeded") == "context_length"
    assert _class(status=400, code="content_filter") == "content_filter"


def test_status_outranks_a_broad_word() -> None:
    assert _class(status=401, code="server_error") == "auth"
    assert _class(status=503, code="api_error") == "provider_overloaded"


def test_event_in_a_stream_is_classed_by_its_word() -> None:
    assert _class(status=200, code="server_error") == "provider_5xx"
    assert _class(status=200, kind="overloaded_error") == "provider_overloaded"


def test_unknown_code_falls_to_its_status() -> None:
    assert _class(status=429, code="brand_new_code") == "rate_limited"
    assert _class(status=418, code="brand_new_code") == "bad_request"
    assert _class(status=599) == "provider_5xx"


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        ("APIConnectionError", "network"),
        ("APITimeoutError", "timeout"),
        ("ConnectTimeout", "timeout"),
        ("CancelledError", "client_cancelled"),
        ("GeneratorExit", "client_cancelled"),
        ("ContentFilterFinishReasonError", "content_filter"),
        ("APIResponseValidationError", "provider_5xx"),
        ("JSONDecodeError", "provider_5xx"),
        ("ValueError", "bad_request"),
    ],
)
def test_failure_without_an_answer_is_classed_by_its_name(exception: str, expected: str) -> None:
    assert _class(exception=exception) == expected


@given(
    st.text(max_size=30),
    st.none() | st.integers(100, 599),
    st.none() | st.text(max_size=30) | st.sampled_from(sorted(KNOWN_CODES)),
    st.text(max_size=80),
)
def test_every_failure_has_a_known_class(
    exception: str, status: int | None, code: str | None, message: str
) -> None:
    assert classify(Failure(exception, status, code, None, message)) in EVENT_CLASSES
