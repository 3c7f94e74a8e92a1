"""What a caller reads of a failed node: ComfyUI's words cleaned, its inputs, and what to try."""

from __future__ import annotations

from comfy_mcp.host import NodeFailure
from comfy_mcp.host.advice import advise
from comfy_mcp.host.cleaning import clean
from comfy_mcp.jobs.job import JobFailure

__all__ = ["told"]


def told(failure: NodeFailure) -> JobFailure:
    """*failure* as a caller sees it; cleaned again, since old rows hold what ComfyUI said."""
    return JobFailure(
        type=failure.type,
        message=clean(failure.message),
        node_id=failure.node_id,
        node_type=failure.node_type,
        inputs=dict(failure.inputs) or None,
        hint=advise(failure.type, failure.message),
    )
