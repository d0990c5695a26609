"""Other libraries that watch provider calls, each told to keep its spans where they can be counted.

Each function starts its library as an application would, and gives what lists the names of the
spans that it has finished so far.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

Spans = Callable[[], list[str]]


def ddtrace() -> Spans:
    """Datadog's tracer; its agent is down."""
    import ddtrace
    from ddtrace.trace import TraceFilter, tracer

    finished: list[str] = []

    class Keep(TraceFilter):
        """Notes the spans of every trace and sends none of them."""

        def process_trace(self, trace: list[Any]) -> None:
            finished.extend(f"{span.name} {span.resource}" for span in trace)

    tracer.configure(trace_processors=[Keep()])
    ddtrace.patch(openai=True, anthropic=True, google_genai=True, httpx=True)
    return lambda: finished


def sentry() -> Spans:
    """Sentry, with everything that it switches on by itself."""
    import sentry_sdk
    from sentry_sdk.transport import Transport

    finished: list[str] = []

    class Keep(Transport):
        """Notes the spans of every envelope and sends none of them."""

        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                told = item.payload.json or {}
                finished.extend(str(span["op"]) for span in told.get("spans", ()))

    sentry_sdk.init(dsn="https://key@sentry.invalid/1", traces_sample_rate=1.0, transport=Keep)
    transaction = sentry_sdk.start_transaction(name="tests").__enter__()

    def spans() -> list[str]:
        transaction.__exit__(None, None, None)
        sentry_sdk.flush()
        return finished

    return spans


def opentelemetry(*instrumentations: str) -> Spans:
    """OpenTelemetry's SDK with these instrumentations, `module:class` each."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    for path in instrumentations:
        module, _, name = path.partition(":")
        getattr(import_module(f"opentelemetry.instrumentation.{module}"), name)().instrument()
    return lambda: [span.name for span in kept.get_finished_spans()]


def otel_genai() -> Spans:
    """OpenTelemetry's own instrumentations of openai and google-genai."""
    return opentelemetry("openai_v2:OpenAIInstrumentor", "google_genai:GoogleGenAiSdkInstrumentor")


def openllmetry() -> Spans:
    """Traceloop's instrumentations of openai and anthropic."""
    return opentelemetry("openai:OpenAIInstrumentor", "anthropic:AnthropicInstrumentor")


def otel_http() -> Spans:
    """OpenTelemetry's instrumentations of HTTP clients, below every SDK."""
    return opentelemetry("httpx:HTTPXClientInstrumentor", "requests:RequestsInstrumentor")


def nobody() -> Spans:
    """Nobody else."""
    return list


OBSERVERS: dict[str, Callable[[], Spans]] = {
    one.__name__: one for one in (nobody, ddtrace, sentry, otel_genai, openllmetry, otel_http)
}
