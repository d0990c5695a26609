"""OpenTelemetry, where the application has it: its trace and span are taken, nothing is imported."""

from __future__ import annotations

import json
import sys

import pytest

from anchor_autopatch import attribute, current
from anchor_autopatch.host.request_context import Request

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")


@pytest.fixture(scope="module")
def tracer():
    return sdk.TracerProvider().get_tracer("tests")


def test_receipt_carries_trace_and_span(tracer, openai_client, one_receipt):
    with tracer.start_as_current_span("chat") as span:
        openai_client.responses.create(model="gpt-4o", input="x")

    context, receipt = span.get_span_context(), one_receipt()
    assert receipt.trace_id == f"{context.trace_id:032x}"
    assert receipt.span_id == f"{context.span_id:016x}"
    assert json.loads(receipt.attribution_source) == {"trace_id": "otel"}


def test_call_outside_of_a_span_has_no_trace(openai_client, one_receipt):
    openai_client.responses.create(model="gpt-4o", input="x")

    assert (one_receipt().trace_id, one_receipt().span_id) == (None, None)


def test_span_outranks_the_header_that_it_came_from(tracer, policy):
    policy('[inbound]\ntrusted_networks = ["unix"]\n')
    sent = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}

    with Request(header=sent.get, peer="unix"):
        before = current()
        with tracer.start_as_current_span("chat") as span:
            inside = current()

    assert (before.trace_id, before.span_id) == ("a" * 32, None)
    assert inside.trace_id == f"{span.get_span_context().trace_id:032x}"


def test_other_fields_stay_beside_the_trace(tracer):
    with tracer.start_as_current_span("chat"), attribute(team="search", plan="pro"):
        who = current()

    assert (who.team, who.labels) == ("search", '{"plan":"pro"}')
    assert json.loads(who.attribution_source) == {
        "labels": "code",
        "team": "code",
        "trace_id": "otel",
    }


def test_broken_api_costs_only_the_trace(monkeypatch, openai_client, one_receipt):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", object())

    openai_client.responses.create(model="gpt-4o", input="x")

    assert one_receipt().trace_id is None
