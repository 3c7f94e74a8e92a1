"""What tests of runs and of sweeps share."""

from __future__ import annotations

from typing import Any

from tests.tools.desk import EVERYTHING, Desk

__all__ = ["SWEEPS", "graph_of", "policy"]

SWEEPS: dict[str, Any] = {
    **EVERYTHING,
    "tools": {**EVERYTHING["tools"], "run_sweep": {}, "get_sweep": {}},
}


def policy(**tools: Any) -> dict[str, Any]:
    """Everything is allowed, as *tools* say."""
    return {**SWEEPS, "tools": {**SWEEPS["tools"], **tools}}


async def graph_of(desk: Desk, prompt_id: str) -> dict[str, Any]:
    """The graph that ComfyUI was sent, as it remembers it."""
    found = await (await desk.services.jobs()).host.graph(prompt_id)
    assert found is not None
    return found
