"""ComfyUI's word that it lacks a node class, with the class that was probably meant."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from comfy_mcp.errors import HostRejected, NodeProblem
from comfy_mcp.tools.checked import near_names
from comfy_mcp.workflow import nearest, shown

if TYPE_CHECKING:
    from comfy_mcp.jobs.manager import Jobs

__all__ = ["suggesting"]

MOST = 5
"""Classes that a near one is looked for: among thousands that takes a while."""


@asynccontextmanager
async def suggesting(jobs: Jobs) -> AsyncGenerator[None]:
    """A refusal of a workflow is told with near names of the classes that are not there.

    Raises:
        HostRejected: as within.
    """
    try:
        yield
    except HostRejected as error:
        lacking = dict.fromkeys(one.node_type for one in error.problems if _is_unknown(one))
        names = list(lacking)[:MOST]
        known = await near_names(jobs, names)
        near = await anyio.to_thread.run_sync(lambda: [nearest(name, known) for name in names])
        words = [f'Did you mean "{shown(one)}"?' for one in dict.fromkeys(near) if one]
        if not words:
            raise
        raise HostRejected(
            " ".join([str(error), *words]),
            kind=error.kind,
            problems=error.problems,
            status=error.status,
        ) from error


def _is_unknown(problem: NodeProblem) -> bool:
    """Older versions of ComfyUI tell it in words only."""
    if problem.kind == "missing_node_type":
        return True
    return problem.kind == "invalid_prompt" and "does not exist" in problem.reason
