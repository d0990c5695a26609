"""OpenTelemetry, where the application has it: its trace and span are taken and, asked, noted."""

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


class TestSpanAttributes:
    @pytest.fixture
    def asked(self, policy):
        policy("[opentelemetry]\nspan_attributes = true\n")

    def test_span_carries_attribution_and_usage(self, asked, tracer, openai_client, one_receipt):
        with tracer.start_as_current_span("chat") as span, attribute(team="search"):
            openai_client.responses.create(model="gpt-4o", input="x")

        usage, found = json.loads(one_receipt().raw_usage), dict(span.attributes)
        assert found["anchor.team"] == "search"
        assert found["anchor.receipt_id"] == one_receipt().receipt_id
        assert found["gen_ai.request.model"] == "gpt-4o"
        assert found["gen_ai.usage.input_tokens"] == usage["input_tokens"]
        assert found["gen_ai.usage.output_tokens"] == usage["output_tokens"]

    def test_cached_tokens_of_anthropic_are_input(self, asked, tracer, anthropic_client):
        with tracer.start_as_current_span("chat") as span:
            usage = anthropic_client.messages.create(
                model="claude-x", max_tokens=9, messages=[{"role": "user", "content": "x"}]
            ).usage

        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        assert span.attributes["gen_ai.usage.input_tokens"] == usage.input_tokens + cached

    def test_several_calls_of_a_span_are_summed(self, asked, tracer, openai_client, receipts):
        with tracer.start_as_current_span("request") as span:
            for text in ("x", "a longer question"):
                openai_client.responses.create(model="gpt-4o", input=text)

        counted = sum(json.loads(each.raw_usage)["input_tokens"] for each in receipts())
        assert span.attributes["anchor.calls"] == 2
        assert span.attributes["gen_ai.usage.input_tokens"] == counted

    def test_stream_is_noted_at_its_end(self, asked, tracer, openai_client):
        with tracer.start_as_current_span("chat") as span:
            for _ in openai_client.responses.create(model="gpt-4o", input="x", stream=True):
                pass

        assert span.attributes["anchor.calls"] == 1

    def test_call_that_ends_elsewhere_touches_no_other_span(self, asked, tracer, openai_client):
        with tracer.start_as_current_span("first"):
            stream = openai_client.responses.create(model="gpt-4o", input="x", stream=True)
        with tracer.start_as_current_span("second") as span:
            list(stream)

        assert dict(span.attributes) == {}

    def test_nothing_is_noted_unasked(self, tracer, openai_client):
        with tracer.start_as_current_span("chat") as span:
            openai_client.responses.create(model="gpt-4o", input="x")

        assert dict(span.attributes) == {}
