"""Every tool, as a value: one list from which the server, the tests and the docs are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
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
from comfy_mcp.tools.editing import edit_workflow
from comfy_mcp.tools.export import export_output
from comfy_mcp.tools.knowledge import describe_node, list_models, search_nodes
from comfy_mcp.tools.library import (
    delete_workflow,
    describe_workflow,
    list_workflows,
    save_workflow,
)
from comfy_mcp.tools.look import get_job, view_output
from comfy_mcp.tools.memory import free_memory
from comfy_mcp.tools.outputs import get_provenance, list_outputs
from comfy_mcp.tools.queue import clear_queue, list_jobs
from comfy_mcp.tools.run import run_workflow
from comfy_mcp.tools.server_status import get_server_status
from comfy_mcp.tools.status import get_policy_status
from comfy_mcp.tools.sweep import get_sweep, run_sweep
from comfy_mcp.tools.upload import upload_input
from comfy_mcp.tools.validating import validate_workflow

__all__ = ["TOOLS", "Tool", "offered"]


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may ask for.

    *handler* takes the app, the caller and the arguments its signature names; its docstring is the
    description. *toolset* is one of `TOOLSETS`. *repeatable*: the same call twice does no more than
    once.
    """

    title: str
    handler: Callable[..., Awaitable[Any]]
    toolset: str
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
    Tool("Run a workflow", run_workflow, "core", repeatable=False),
    Tool("Run variants", run_sweep, "core", repeatable=False),
    Tool("Look up a job", get_job, "core", repeatable=True),
    Tool("Look up a sweep", get_sweep, "core", repeatable=True),
    Tool("List jobs", list_jobs, "core", repeatable=True),
    Tool("What the policy leaves you", get_policy_status, "core", repeatable=True),
    Tool("Whether ComfyUI works", get_server_status, "core", repeatable=True),
    Tool("Look at an output", view_output, "outputs", repeatable=True, structured=False),
    Tool("List outputs", list_outputs, "outputs", repeatable=True),
    Tool("How an output was made", get_provenance, "outputs", repeatable=True),
    Tool("Export an output", export_output, "outputs", repeatable=True),
    Tool("Upload an input", upload_input, "inputs", repeatable=True),
    Tool("List workflows", list_workflows, "library", repeatable=True),
    Tool("What a workflow takes", describe_workflow, "library", repeatable=True),
    Tool("Check a run", validate_workflow, "library", repeatable=True),
    Tool("Edit a graph", edit_workflow, "library", repeatable=True),
    Tool("Save a workflow", save_workflow, "library", repeatable=True),
    Tool("Delete a workflow", delete_workflow, "library", repeatable=True),
    Tool("Find nodes", search_nodes, "knowledge", repeatable=True),
    Tool("What a node takes", describe_node, "knowledge", repeatable=True),
    Tool("List models", list_models, "knowledge", repeatable=True),
    Tool("Cancel a job", cancel_job, "control", repeatable=True),
    Tool("Interrupt the running job", interrupt_execution, "control", repeatable=True),
    Tool("Take back your waiting jobs", clear_queue, "control", repeatable=True),
    Tool("Free memory", free_memory, "control", repeatable=True),
    Tool("What a person said", get_approval, "approvals", repeatable=True),
    Tool("List your requests to people", list_approvals, "approvals", repeatable=True),
    Tool("Ask a person", request_approval, "approvals", repeatable=True),
    Tool("Take back a request", cancel_approval, "approvals", repeatable=True),
)


def offered(toolsets: Collection[str], *, read_only: bool) -> frozenset[str]:
    """The names of the tools of *toolsets*; *read_only*: of those only what changes nothing."""
    return frozenset(
        tool.name
        for tool in TOOLS
        if tool.toolset in toolsets and not (read_only and tool.kind is not ToolClass.READ)
    )
