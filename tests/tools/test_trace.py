"""Decisions in OpenTelemetry: on the SDK's span of the request, if somebody records spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from comfy_mcp.tools.trace import trace_decision
from tests.tools.desk import EVERYTHING, Sit, card

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def recorder() -> Iterator[InMemorySpanExporter]:
    """Keeps every span of this process; OpenTelemetry takes one provider and no other later."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(recorder: InMemorySpanExporter) -> InMemorySpanExporter:
    recorder.clear()
    return recorder


def of_tool(spans: InMemorySpanExporter, tool: str) -> dict[str, Any]:
    """What the one span of the server for a call of *tool* says."""
    found: list[ReadableSpan] = [
        span
        for span in spans.get_finished_spans()
        if span.kind is trace.SpanKind.SERVER and span.name == f"tools/call {tool}"
    ]
    (span,) = found
    return dict(span.attributes or {})


async def test_a_run_is_traced_with_its_decision_and_job(
    sit: Sit, spans: InMemorySpanExporter
) -> None:
    async with sit(grant="ann") as desk:
        job = await desk.ask("run_workflow", workflow=card(1))
        revision = desk.services.source.current.revision

    told = of_tool(spans, "run_workflow")
    assert told["comfy_mcp.policy.decision"] == "allow"
    assert told["comfy_mcp.policy.code"] == "allowed"
    assert told["comfy_mcp.policy.grant"] == "ann"
    assert told["comfy_mcp.policy.decision_id"].startswith("dec_")
    assert told["comfy_mcp.policy.revision"] == revision
    assert told["comfy_mcp.prompt_id"] == job["prompt_id"]


async def test_a_refusal_is_traced_with_the_rule_that_refused(
    sit: Sit, spans: InMemorySpanExporter
) -> None:
    rules = {**EVERYTHING["tools"], "cancel_job": {"action": "deny"}}

    async with sit({**EVERYTHING, "tools": rules}) as desk:
        await desk.refusal("cancel_job", prompt_id="00000000-0000-4000-8000-000000000000")

    told = of_tool(spans, "cancel_job")
    assert told["comfy_mcp.policy.decision"] == "deny"
    assert told["comfy_mcp.policy.code"] == "denied"
    assert told["comfy_mcp.policy.rule"] == "/tools/cancel_job"
    assert "comfy_mcp.prompt_id" not in told


def test_without_a_span_nothing_happens() -> None:
    trace_decision({"decision": "allow", "code": "allowed"})


class Stubborn(trace.NonRecordingSpan):
    """A span that cannot be written on."""

    def __init__(self) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)

    def is_recording(self) -> bool:
        """Say that it records."""
        return True

    def set_attributes(self, attributes: object) -> None:
        """Fail."""
        raise RuntimeError(f"the exporter's fault with {attributes}")


def test_a_span_that_fails_changes_no_decision(caplog: pytest.LogCaptureFixture) -> None:
    with trace.use_span(Stubborn()):
        trace_decision({"decision": "allow"})

    assert "could not be traced" in caplog.text
