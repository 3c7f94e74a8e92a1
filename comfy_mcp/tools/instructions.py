"""What a client reads at the start about this server: one line for each tool that it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_mcp.guard.gate import Gate

__all__ = ["LAW", "LONGEST", "OFFERED", "instructions"]

INSTRUCTIONS = (
    "Runs ComfyUI workflows (pictures, video, sound) on somebody's GPU, under that person's policy."
)
OFFERED = {
    "run_workflow": "run_workflow starts a job and waits; with an idempotency_key a repeated call"
    " never runs it twice.",
    "run_sweep": "run_sweep runs variants of one workflow.",
    "get_job": "get_job follows a job.",
    "view_output": "view_output shows a result.",
    "list_outputs": "list_outputs has all that jobs made.",
    "export_output": "export_output writes one to a file.",
    "upload_input": "upload_input brings a file in.",
    "list_workflows": "list_workflows finds what can be run by name.",
    "describe_workflow": "describe_workflow says what one takes and what is missing.",
    "validate_workflow": "validate_workflow checks a run and queues nothing.",
    "edit_workflow": "edit_workflow builds or changes a graph.",
    "search_nodes": "search_nodes finds node classes.",
    "describe_node": "describe_node says what they take.",
    "list_models": "list_models has the model files.",
    "list_jobs": "list_jobs finds jobs again.",
    "cancel_job": "cancel_job stops one of yours, verified.",
    "get_policy_status": "get_policy_status says what you may do.",
    "get_server_status": "get_server_status says whether ComfyUI works, and what to do if not.",
    "get_approval": '"[APPROVAL NEEDED]": a person has to decide. Tell the user the command in it;'
    " get_approval waits for the answer.",
    "request_approval": "request_approval asks a person about something of your own.",
}
"""What is said of a tool that the caller is shown: what is hidden is not given away here."""

LAW = (
    '"[POLICY DENIED]" is the owner\'s decision: tell the user, honour retry_after_s, and do not'
    " look for a way round it."
)

FOR_EVERYBODY = ("Nothing is allowed", "run_workflow is allowed but")
"""How warnings begin that an agent and its user are helped by."""

LONGEST = 1_900
"""Characters: clients cut this at 2 kB."""


def instructions(gate: Gate, identity: str) -> str:
    """What the caller named *identity* is told.

    Of the warnings only those about everybody: the others name files, grants and hidden tools.
    """
    offered = [words for tool, words in OFFERED.items() if gate.listed(identity, tool)]
    warned = [text for text in gate.loaded.warnings if text.startswith(FOR_EVERYBODY)]
    lines = [INSTRUCTIONS, *offered, LAW, *(f"Warning about the policy: {text}" for text in warned)]
    return "\n".join(lines)[:LONGEST]
