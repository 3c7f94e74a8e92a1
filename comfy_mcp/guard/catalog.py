"""Which tools there are, how dangerous each is, and by what other names policies call them."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ALIASES",
    "ALWAYS_OWN",
    "EACH_RUN_AS",
    "KNOWN_NAMES",
    "OWN_JOBS_ONLY",
    "TOOLS",
    "ToolClass",
    "canonical",
]


class ToolClass(StrEnum):
    """What the worst use of a tool amounts to; a tool has exactly one class."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"
    DESTRUCTIVE = "destructive"


TOOLS: Mapping[str, ToolClass] = MappingProxyType(
    {
        "run_workflow": ToolClass.EXECUTE,
        "run_sweep": ToolClass.EXECUTE,
        "get_job": ToolClass.READ,
        "get_sweep": ToolClass.READ,
        "view_output": ToolClass.READ,
        "list_outputs": ToolClass.READ,
        "get_provenance": ToolClass.READ,
        "export_output": ToolClass.WRITE,
        "upload_input": ToolClass.WRITE,
        "list_workflows": ToolClass.READ,
        "describe_workflow": ToolClass.READ,
        "validate_workflow": ToolClass.READ,
        "edit_workflow": ToolClass.READ,
        "save_workflow": ToolClass.WRITE,
        "delete_workflow": ToolClass.DESTRUCTIVE,
        "search_nodes": ToolClass.READ,
        "describe_node": ToolClass.READ,
        "list_models": ToolClass.READ,
        "list_jobs": ToolClass.READ,
        "get_policy_status": ToolClass.READ,
        "get_server_status": ToolClass.READ,
        "cancel_job": ToolClass.DESTRUCTIVE,
        "interrupt_execution": ToolClass.DESTRUCTIVE,
        "clear_queue": ToolClass.DESTRUCTIVE,
        "free_memory": ToolClass.DESTRUCTIVE,
        "get_approval": ToolClass.READ,
        "list_approvals": ToolClass.READ,
        "request_approval": ToolClass.WRITE,
        "cancel_approval": ToolClass.WRITE,
    }
)
"""Every tool by its canonical name."""

OWN_JOBS_ONLY = frozenset(
    {
        "view_output",
        "get_provenance",
        "export_output",
        "upload_input",
        "cancel_job",
        "interrupt_execution",
    }
)
"""Tools that show or stop what a job does; of others' jobs a caller sees the status only."""

ALWAYS_OWN = frozenset({"clear_queue"})
"""Tools that touch the caller's own jobs only, even where the policy lets it stop everybody's."""

EACH_RUN_AS: Mapping[str, str] = MappingProxyType({"run_sweep": "run_workflow"})
"""Tools whose calls make several runs, and the tool as whose call each of these is judged."""

ALIASES: Mapping[str, str] = MappingProxyType(
    {"comfy_cancel_generation": "cancel_job", "cancel_interrupt": "cancel_approval"}
)
"""Names used by published policies, and the canonical name of the tool they mean."""

KNOWN_NAMES = frozenset({*TOOLS, *ALIASES})
"""Names that are not typing errors."""


def canonical(name: str) -> str:
    """The canonical name for *name*; *name* itself if it is no alias."""
    return ALIASES.get(name, name)
