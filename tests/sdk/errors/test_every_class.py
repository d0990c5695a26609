"""Each class of docs/failures.md, made by real SDKs: the event has it, and so has the incident."""

from __future__ import annotations

import json

import pytest

from anchor_autopatch.core.failures import EVENT_CLASSES

# LiteLLM warns while it works: clients and tasks that outlive their loop.
pytestmark = pytest.mark.filterwarnings("ignore")
ASK = [{"role": "user", "content": "hello there"}]
MODEL = "claude-3"
# At the first occurrence; what only rates can tell is a warning while nothing worked beside it.
SEVERITIES = {
    **dict.fromkeys(("billing_exhausted", "auth", "model_gone"), "critical"),
    **dict.fromkeys(
        (
            *("rate_limited", "quota_daily", "provider_overloaded", "provider_5xx"),
            *("timeout", "network", "partial_stream"),
        ),
        "warning",
    ),
}
COUNTED_ONLY = ("context_length", "content_filter", "bad_request")


def openai_error(status, code, kind="invalid_request_error"):
    """An error object of OpenAI."""
    body = {"error": {"message": "refused", "type": kind, "code": code, "param": None}}
    return {"kind": "custom", "status": status, "body": body}


def anthropic_error(status, kind, message="refused", code=None):
    """An error of Anthropic; `code` is its `details.error_code`."""
    error = {"type": kind, "message": message} | ({"details": {"error_code": code}} if code else {})
    return {"kind": "custom", "status": status, "body": {"type": "error", "error": error}}


QUOTA, ANTHROPIC_LIMIT = "insufficient_quota", "rate_limit_error"
OPENAI = [
    *(
        ("billing_exhausted", openai_error(429, code, QUOTA))
        for code in (
            *("insufficient_quota", "credit_balance_exhausted", "project_spend_limit_exceeded"),
            *("organization_spend_limit_exceeded", "organization_usage_limit_exceeded"),
            *("billing_hard_limit_reached", "billing_not_active", None),
        )
    ),
    ("billing_exhausted", openai_error(402, None)),
    ("rate_limited", openai_error(429, "rate_limit_exceeded", "tokens")),
    ("rate_limited", openai_error(429, "slow_down", "requests")),
    ("rate_limited", openai_error(429, None)),
    ("provider_overloaded", openai_error(503, "server_is_overloaded", "server_error")),
    ("provider_5xx", openai_error(500, None, "server_error")),
    ("provider_5xx", openai_error(502, None, "server_error")),
    ("timeout", "request_timeout"),
    ("timeout", "gateway_timeout"),
    ("network", "reset"),
    ("network", "close"),
    ("auth", "auth"),
    ("auth", "permission"),
    ("model_gone", "model_not_found"),
    ("context_length", "context_length"),
    ("context_length", "too_large"),
    ("content_filter", "content_filter"),
    ("content_filter", openai_error(400, "content_filter", None)),
    ("bad_request", "bad_request"),
    ("bad_request", "conflict"),
    ("bad_request", "unprocessable"),
]
ANTHROPIC = [
    ("billing_exhausted", anthropic_error(402, "billing_error")),
    *(
        ("billing_exhausted", anthropic_error(429, ANTHROPIC_LIMIT, code=code))
        for code in ("enforced_spend_limit_reached", "contract_spend_limit_reached")
    ),
    (
        "billing_exhausted",
        anthropic_error(402, "billing_error", code="linked_organization_spend_limit_reached"),
    ),
    (
        "billing_exhausted",
        anthropic_error(
            400, "invalid_request_error", "You have reached your specified API usage limits"
        ),
    ),
    ("billing_exhausted", "quota"),
    ("rate_limited", anthropic_error(429, ANTHROPIC_LIMIT)),
    ("rate_limited", anthropic_error(429, ANTHROPIC_LIMIT, code="ramp_limit_exceeded")),
    ("provider_overloaded", "overloaded"),
    ("provider_overloaded", "unavailable"),
    ("provider_5xx", "server_error"),
    ("timeout", "gateway_timeout"),
    ("timeout", "request_timeout"),
    ("network", "reset"),
    ("auth", "auth"),
    ("auth", "permission"),
    ("model_gone", "model_not_found"),
    ("context_length", "context_length"),
    ("context_length", "too_large"),
    ("bad_request", "bad_request"),
    ("bad_request", "conflict"),
]
GEMINI = [
    ("billing_exhausted", "credit_exhausted"),
    ("rate_limited", "rate_limit"),
    ("quota_daily", "quota_daily"),
    ("provider_overloaded", "unavailable"),
    ("provider_5xx", "server_error"),
    ("timeout", "gateway_timeout"),
    ("network", "reset"),
    ("auth", "auth"),
    ("auth", "permission"),
    ("model_gone", "model_not_found"),
    ("context_length", "context_length"),
    ("bad_request", "bad_request"),
]
BEDROCK = [
    ("rate_limited", 429, "ThrottlingException"),
    ("rate_limited", 429, "ModelNotReadyException"),
    ("quota_daily", 400, "ServiceQuotaExceededException"),
    ("provider_overloaded", 503, "ServiceUnavailableException"),
    ("provider_5xx", 500, "InternalServerException"),
    ("provider_5xx", 424, "ModelErrorException"),
    ("timeout", 408, "ModelTimeoutException"),
    ("auth", 403, "AccessDeniedException"),
    ("auth", 403, "ExpiredTokenException"),
    ("model_gone", 404, "ResourceNotFoundException"),
    ("bad_request", 400, "ValidationException"),
]
# What LiteLLM makes of it is another class than the provider's own; ours is the provider's.
LITELLM = [
    ("openai", "billing_exhausted", openai_error(429, "credit_balance_exhausted", QUOTA)),
    ("openai", "rate_limited", openai_error(429, "rate_limit_exceeded", "requests")),
    ("openai", "auth", "permission"),
    ("openai", "network", "reset"),
    ("openai", "timeout", "gateway_timeout"),
    ("openai", "model_gone", "model_not_found"),
    ("openai", "context_length", "context_length"),
    ("openai", "content_filter", openai_error(400, "content_filter", None)),
    ("openai", "content_filter", "content_filter"),
    ("anthropic", "provider_overloaded", "overloaded"),
    ("anthropic", "context_length", "too_large"),
    ("anthropic", "billing_exhausted", anthropic_error(402, "billing_error")),
    ("gemini", "auth", "permission"),
    ("gemini", "quota_daily", "quota_daily"),
    ("gemini", "provider_5xx", "server_error"),
]


def named(rows):
    """The rows as parameters; a failure is called by its kind, or by its status and code."""
    return [pytest.param(*row, id="-".join(map(_name, row))) for row in rows]


def _name(part):
    if not isinstance(part, dict):
        return str(part)
    error = part["body"]["error"]
    code = error.get("code") or error.get("details", {}).get("error_code") or error["type"]
    return f"{part['status']}-{code}"


@pytest.fixture
def becomes(one_event, incidents):
    """A function that says of the failure that was made: its class, and that of its incident."""

    def check(event_class, **fields):
        event = one_event()
        assert event.event_class == event_class
        assert {name: getattr(event, name) for name in fields} == fields
        severity = SEVERITIES.get(event_class)
        assert incidents() == ([(event_class, severity)] if severity else [])

    return check


@pytest.mark.parametrize(("event_class", "failure"), named(OPENAI))
def test_openai(openai_client, simulator, becomes, event_class, failure):
    simulator.script(fail=failure)

    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is what is told
        openai_client.chat.completions.create(model="gpt-4o", messages=ASK)

    becomes(event_class, provider="openai", exception_type=type(caught.value).__name__)


@pytest.mark.parametrize(("event_class", "failure"), named(ANTHROPIC))
def test_anthropic(anthropic_client, simulator, becomes, event_class, failure):
    simulator.script(fail=failure)

    with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is what is told
        anthropic_client.messages.create(model=MODEL, max_tokens=9, messages=ASK)

    becomes(event_class, provider="anthropic", exception_type=type(caught.value).__name__)


@pytest.mark.parametrize(("event_class", "failure"), named(GEMINI))
def test_gemini(gemini_client, simulator, becomes, event_class, failure):
    simulator.script(fail=failure)

    with pytest.raises(Exception):  # noqa: B017, PT011 - the class is what is told
        gemini_client.models.generate_content(model="gemini-2.5-flash", contents="hello")

    becomes(event_class, provider="gemini")


def converse(client):
    return client.converse(
        modelId="amazon.nova-lite-v1:0", messages=[{"role": "user", "content": [{"text": "Hi"}]}]
    )


def refuse(server, status, code, message="refused"):
    """Lets the server refuse as Bedrock does."""
    body = json.dumps({"message": message}).encode()
    headers = {"x-amzn-errortype": code, "content-type": "application/json"}
    server.answer(body, status=status, headers=headers, chunked=False)


@pytest.mark.parametrize(("event_class", "status", "code"), named(BEDROCK))
def test_bedrock(bedrock, becomes, event_class, status, code):
    server, client = bedrock
    refuse(server, status, code)

    with pytest.raises(Exception, match=code):
        converse(client)

    becomes(event_class, provider="bedrock", code=code, http_status=status)


def test_bedrock_says_in_prose_that_a_prompt_is_too_long(bedrock, becomes):
    server, client = bedrock
    refuse(server, 400, "ValidationException", "Input is too long for requested model")

    with pytest.raises(client.exceptions.ValidationException):
        converse(client)

    becomes("context_length", provider="bedrock")


def test_bedrock_that_nobody_reaches(bedrock, becomes):
    import boto3
    from botocore.config import Config

    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"}
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:9",
        config=once,
        **keys,
    )

    with pytest.raises(Exception, match="Could not connect"):
        converse(client)

    becomes("network", provider="bedrock", exception_type="EndpointConnectionError")


@pytest.mark.parametrize(("route", "event_class", "failure"), named(LITELLM))
def test_litellm(litellm, simulator, becomes, route, event_class, failure):
    bases = {"openai": f"{simulator.openai}/v1", "anthropic": simulator.anthropic}
    models = {"openai": "gpt-4o", "anthropic": "claude-x", "gemini": "gemini-2.5-flash"}
    base = {"api_base": bases[route]} if route in bases else {}
    simulator.script(fail=failure)

    with pytest.raises(Exception):  # noqa: B017, PT011 - the class is what is told
        litellm.completion(
            model=f"{route}/{models[route]}", messages=ASK, max_retries=0, num_retries=0, **base
        )

    becomes(event_class, provider=route)


def test_budget_of_litellm_itself_is_used_up(litellm, monkeypatch, events, incidents):
    monkeypatch.setattr(litellm, "max_budget", 0.001)
    monkeypatch.setattr(litellm, "_current_cost", 1.0)

    with pytest.raises(litellm.BudgetExceededError):
        litellm.completion(model="openai/gpt-4o", messages=ASK)

    # Nothing was sent, no provider refused anything: LiteLLM's own budget is the application's.
    assert (events(), incidents()) == ([], [])


# -- streams --

STREAMS = {
    "openai": lambda clients: clients("openai_client").chat.completions.create(
        model="gpt-4o", messages=ASK, stream=True
    ),
    "responses": lambda clients: clients("openai_client").responses.create(
        model="gpt-4o", input="hello", stream=True
    ),
    "anthropic": lambda clients: clients("anthropic_client").messages.create(
        model=MODEL, max_tokens=9, messages=ASK, stream=True
    ),
    "gemini": lambda clients: clients("gemini_client").models.generate_content_stream(
        model="gemini-2.5-flash", contents="hello"
    ),
}


@pytest.mark.parametrize("start", STREAMS.values(), ids=STREAMS)
def test_stream_that_breaks_after_its_first_chunk(request, simulator, becomes, one_receipt, start):
    simulator.script(fail="break@2", chunks=4)

    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        list(start(request.getfixturevalue))

    becomes("partial_stream")
    assert one_receipt().outcome == "partial"


@pytest.mark.parametrize("route", ["openai/gpt-4o", "anthropic/claude-x"])
def test_stream_of_litellm_that_breaks_after_its_first_chunk(litellm, simulator, becomes, route):
    simulator.script(fail="break@2", chunks=4)
    url = {"openai": f"{simulator.openai}/v1", "anthropic": simulator.anthropic}
    base = url[route.partition("/")[0]]

    with pytest.raises(Exception):  # noqa: B017, PT011 - the class is what is told
        list(litellm.completion(model=route, messages=ASK, api_base=base, stream=True))

    becomes("partial_stream")


def test_table_has_every_class_of_a_provider():
    made = {row[0] for row in (*OPENAI, *ANTHROPIC, *GEMINI, *BEDROCK)} | {"partial_stream"}
    others = {"client_cancelled", "attribution_required", "headers_refused", "app_error"}

    # Cancelled calls leave no event at all: test_no_false_incident.py.
    assert made == set(EVENT_CLASSES) - others - {"dependency_error"}
