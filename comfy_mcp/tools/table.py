"""Every tool, as a value: one list from which the server, the tests and the docs are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from comfy_mcp.guard.catalog import TOOLS as CLASSES
from comfy_mcp.guard.catalog import ToolClass
from comfy_mcp.tools.approvals import (
    cancel_approval,
    get_approval,
    list_approvals,
    request_approval,
)
from comfy_mcp.tools.control import cancel_job, interrupt_execution
from comfy_mcp.tools.look import get_job, view_output
from comfy_mcp.tools.queue import clear_queue, list_jobs
from comfy_mcp.tools.run import run_workflow
from comfy_mcp.tools.server_status import get_server_status
from comfy_mcp.tools.status import get_policy_status

__all__ = ["TOOLS", "Tool"]


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may ask for.

    *handler* takes the app, the caller and the arguments its signature names; its docstring is the
    description. *repeatable*: the same call twice does no more than once.
    """

    title: str
    handler: Callable[..., Awaitable[Any]]
    repeatable: bool
    structured: bool = True

    @property
    def name(self) -> str:
        """The handler's name."""
        return self.handler.__name__

    @property
    def kind(self) -> ToolClass:
        """How dangerous it is; hints are derived from this and never trusted."""
        return CLASSES[self.name]


TOOLS: tuple[Tool, ...] = (
    Tool("Run a workflow", run_workflow, repeatable=False),
    Tool("Look up a job", get_job, repeatable=True),
    Tool("Look at an output", view_output, repeatable=True, structured=False),
    Tool("List jobs", list_jobs, repeatable=True),
    Tool("What the policy leaves you", get_policy_status, repeatable=True),
    Tool("Whether ComfyUI works", get_server_status, repeatable=True),
    Tool("Cancel a job", cancel_job, repeatable=True),
    Tool("Interrupt the running job", interrupt_execution, repeatable=True),
    Tool("Take back your waiting jobs", clear_queue, repeatable=True),
    Tool("What a person said", get_approval, repeatable=True),
    Tool("List your requests to people", list_approvals, repeatable=True),
    Tool("Ask a person", request_approval, repeatable=True),
    Tool("Take back a request", cancel_approval, repeatable=True),
)
