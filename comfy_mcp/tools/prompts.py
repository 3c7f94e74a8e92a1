"""Three MCP prompts: what a person may start an agent with, naming only tools that it has.

A prompt is shown if the caller has the tools that it is about, and reads as if there were no
others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, GetPromptResult, PromptMessage, TextContent
from mcp.types import Prompt as MCPPrompt
from mcp.types import PromptArgument as MCPPromptArgument

from comfy_mcp.quoting import name as quoted

__all__ = ["PROMPTS", "Argument", "Line", "Prompt", "prompt", "shown"]

LONGEST = 4_000
"""Characters of one argument."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a person fills in; *of* says what its values are, for completions."""

    name: str
    description: str
    required: bool = True
    of: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A step, told if the caller has all of *tools* and gave (or did not) the *argument*."""

    text: str
    tools: tuple[str, ...] = ()
    given: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; there is none for a caller that lacks one of *needs*."""

    name: str
    title: str
    description: str
    needs: tuple[str, ...]
    arguments: tuple[Argument, ...]
    head: str
    lines: tuple[Line, ...]


RESPECT = Line('"[POLICY DENIED]" is final: tell me what was denied and do not work around it.')

PROMPTS: tuple[Prompt, ...] = (
    Prompt(
        "generate_and_refine",
        "Generate and refine",
        "Make something with a workflow, look at it, and improve it in small steps",
        ("run_workflow",),
        (
            Argument("idea", "What is to be made"),
            Argument("workflow", "Name of a workflow", required=False, of="workflow"),
        ),
        "Make this with ComfyUI: {idea}",
        (
            Line("Use the workflow {workflow}.", given="workflow"),
            Line("Find a workflow that fits: list_workflows.", ("list_workflows",), "", "workflow"),
            Line("See what it takes: describe_workflow.", ("describe_workflow",)),
            Line("Upload pictures that I name: upload_input.", ("upload_input",)),
            Line("Run it with run_workflow, small and quick first; note the seed that it reports."),
            Line("Look at the result: view_output. Say what is not as I wanted.", ("view_output",)),
            Line("Change one thing at a time and run it again, three rounds at most."),
            Line("To compare several values at once: run_sweep.", ("run_sweep",)),
            Line("When I am content, export it: export_output.", ("export_output",)),
            Line("End with the prompt_id, the seed and the parameters of the best one."),
            RESPECT,
        ),
    ),
    Prompt(
        "diagnose_failed_job",
        "Diagnose a failed job",
        "Find out why a job failed, and the smallest change that helps",
        ("get_job",),
        (Argument("prompt_id", "The job", of="prompt_id"),),
        "Find out why the ComfyUI job {prompt_id} did not do what it should.",
        (
            Line("Its status, error and hint: get_job."),
            Line("If no job has that id, find the one I mean: list_jobs.", ("list_jobs",)),
            Line("What was run, with which values: get_provenance.", ("get_provenance",)),
            Line("Whether ComfyUI works and has memory left: get_server_status.",
                 ("get_server_status",)),
            Line("If a node is named: what it takes, with describe_node.", ("describe_node",)),
            Line("If a model is missing: what there is, with list_models.", ("list_models",)),
            Line("If it was denied: what the policy allows, with get_policy_status.",
                 ("get_policy_status",)),
            Line("If memory ran out: a smaller size or batch first."),
            Line("If memory is held by other models: ask me before free_memory.", ("free_memory",)),
            Line("Check a changed run without running it: validate_workflow.",
                 ("validate_workflow",)),
            Line("Tell me the cause in one sentence and the smallest change that would help."),
            Line("Ask me before you run it again with run_workflow.", ("run_workflow",)),
        ),
    ),
    Prompt(
        "build_workflow",
        "Build a workflow",
        "Make a graph of nodes for a goal, check it, and run it",
        ("search_nodes", "describe_node"),
        (
            Argument("goal", "What the workflow is to do"),
            Argument("node", "A node class that it should use", required=False, of="node"),
        ),
        "Build a ComfyUI workflow that does this: {goal}",
        (
            Line("Use the node {node}.", given="node"),
            Line("Look first whether there is one already: list_workflows.", ("list_workflows",)),
            Line("Find nodes with search_nodes; with input_type and output_type it finds what goes"
                 " between two nodes. Prefer nodes that are not deprecated, and no partner nodes."),
            Line("Read what each takes before you use it: describe_node takes several at once."),
            Line("Name only models that are there: list_models.", ("list_models",)),
            Line("Put the graph together with edit_workflow, a few operations at a time.",
                 ("edit_workflow",)),
            Line("Check it before it runs: validate_workflow.", ("validate_workflow",)),
            Line("Run it small once: run_workflow.", ("run_workflow",)),
            Line("Look at what came of it: view_output.", ("view_output",)),
            Line("Offer to keep it under a name: save_workflow.", ("save_workflow",)),
            RESPECT,
        ),
    ),
)  # fmt: skip

_BY_NAME = {one.name: one for one in PROMPTS}


def shown(has: Callable[[str], bool]) -> list[MCPPrompt]:
    """The prompts of a caller that *has* these tools."""
    return [_listed(one) for one in PROMPTS if all(map(has, one.needs))]


def prompt(
    has: Callable[[str], bool], name: str, arguments: Mapping[str, str] | None
) -> GetPromptResult:
    """The prompt *name* for a caller that *has* these tools, filled in.

    Raises:
        MCPError: there is none for this caller, or an argument is missing, unknown or too long.
    """
    found = _BY_NAME.get(name)
    if found is None or not all(map(has, found.needs)):
        raise MCPError(code=INVALID_PARAMS, message=f"Unknown prompt: {name[:128]}")
    given = {key: value for key, value in (arguments or {}).items() if value.strip()}
    fault = _fault(found, given)
    if fault:
        raise MCPError(code=INVALID_PARAMS, message=f"{name}: {fault}")
    return GetPromptResult(
        description=found.description,
        messages=[
            PromptMessage(
                role="user", content=TextContent(type="text", text=_text(found, given, has))
            )
        ],
    )


def _listed(one: Prompt) -> MCPPrompt:
    return MCPPrompt(
        name=one.name,
        title=one.title,
        description=one.description,
        arguments=[
            MCPPromptArgument(name=each.name, description=each.description, required=each.required)
            for each in one.arguments
        ],
    )


def _fault(found: Prompt, given: Mapping[str, str]) -> str:
    known = {each.name for each in found.arguments}
    for name, value in given.items():
        if name not in known:
            return f"there is no argument {quoted(name)}; it takes: {', '.join(sorted(known))}."
        if len(value) > LONGEST:
            return f"{name} has more than {LONGEST} characters."
    lacking = [each.name for each in found.arguments if each.required and each.name not in given]
    return f"{lacking[0]} has to be given." if lacking else ""


def _text(found: Prompt, given: Mapping[str, str], has: Callable[[str], bool]) -> str:
    # In quotation marks: what is filled in is no step of ours.
    values = {name: json.dumps(value, ensure_ascii=False) for name, value in given.items()}
    steps = [
        line.text.format_map(values) if line.given else line.text
        for line in found.lines
        if all(map(has, line.tools))
        and (not line.given or line.given in given)
        and (not line.missing or line.missing not in given)
    ]
    numbered = [f"{number}. {text}" for number, text in enumerate(steps, 1)]
    return "\n".join([found.head.format_map(values), *numbered])
