"""AWS services other than Bedrock: one event for an operation that failed, its tries included."""

from __future__ import annotations

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from tests.frameworks.depending import closed_port, partner
from tests.host.fixtures import one_event

__all__ = ["one_event"]

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def service():
    with partner() as started:
        yield started


def table(url, attempts=3):
    """A client of DynamoDB, whose retries wait for nothing."""
    return boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="AKIACANARY4711000000",
        aws_secret_access_key="canary",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def test_server_error_after_all_tries_is_one_event(service, one_event):
    service.plan[:] = [500, 500, 500]

    with pytest.raises(botocore.exceptions.ClientError):
        table(service.url).list_tables()

    event = one_event()
    assert (event.event_class, event.dependency, event.http_status, event.sdk) == (
        "dependency_error",
        service.host,
        500,
        "botocore",
    )
    assert "CANARY" not in str(event).upper()


def test_operation_that_succeeds_at_its_second_try_is_no_failure(service, events):
    service.plan[:] = [500, 200]

    table(service.url).list_tables()

    assert events() == []


def test_throttling_is_told_as_that_whatever_its_status(service, one_event):
    service.plan[:] = [400]
    service.body = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'

    with pytest.raises(botocore.exceptions.ClientError):
        table(service.url, attempts=1).list_tables()

    assert (one_event().event_class, one_event().code) == ("rate_limited", "ThrottlingException")


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "ResourceNotFoundException", "ConditionalCheckFailedException"],
)
def test_refusals_are_no_failure_of_the_service(service, events, code):
    service.plan[:] = [400]
    service.body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}"}}'.encode()

    with pytest.raises(botocore.exceptions.ClientError, match=code):
        table(service.url).list_tables()

    assert events() == []


def test_service_that_is_not_there_is_one_event(one_event):
    port = closed_port()

    with pytest.raises(botocore.exceptions.EndpointConnectionError):
        table(f"http://127.0.0.1:{port}", attempts=2).list_tables()

    assert (one_event().event_class, one_event().dependency) == ("network", f"127.0.0.1:{port}")
    assert one_event().code == "ECONNREFUSED"
