"""Every tool has one class, and the names of published policies mean tools."""

from __future__ import annotations

from comfy_mcp.guard.catalog import ALIASES, KNOWN_NAMES, TOOLS, ToolClass, canonical


def test_every_tool_has_the_class_of_its_worst_use() -> None:
    assert dict(TOOLS) == {
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


def test_an_alias_means_its_tool_and_any_other_name_itself() -> None:
    assert canonical("comfy_cancel_generation") == "cancel_job"
    assert canonical("cancel_interrupt") == "cancel_approval"
    assert canonical("run_workflow") == "run_workflow"
    assert canonical("no such tool") == "no such tool"


def test_every_alias_leads_to_a_tool_and_is_none() -> None:
    assert not ALIASES.keys() & TOOLS.keys()
    assert set(ALIASES.values()) <= TOOLS.keys()
    assert ALIASES.keys() | TOOLS.keys() == KNOWN_NAMES
