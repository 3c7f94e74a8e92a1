"""Decisions as attributes of the SDK's own OpenTelemetry span; nothing unless somebody records."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace

__all__ = ["trace_decision"]

log = logging.getLogger(__name__)

ATTRIBUTES = {
    "comfy_mcp.policy.decision": "decision",
    "comfy_mcp.policy.code": "code",
    "comfy_mcp.policy.rule": "rule",
    "comfy_mcp.policy.grant": "grant",
    "comfy_mcp.policy.decision_id": "decision_id",
    "comfy_mcp.policy.revision": "policy",
    "comfy_mcp.prompt_id": "prompt_id",
}
"""Names of attributes, and of the members of the audit record that they tell."""


def trace_decision(record: Mapping[str, Any]) -> None:
    """Tell a decision's audit *record* to the span of the request it was made for, if any.

    It never raises: what is only looked at must not change what is done.
    """
    try:
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attributes(_told(record))
    except Exception:
        log.exception("A decision could not be traced.")


def _told(record: Mapping[str, Any]) -> dict[str, str]:
    """What is known; a rule that is not there (nothing in the policy decided) is left out."""
    known = {name: record.get(member) for name, member in ATTRIBUTES.items()}
    return {name: str(value) for name, value in known.items() if value}
