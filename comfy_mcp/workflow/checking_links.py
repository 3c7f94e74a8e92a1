"""Whether an output may be linked to an input, as ComfyUI's validation.py has it."""

from __future__ import annotations

from collections.abc import Sequence

from comfy_mcp.workflow.checking_values import Fault
from comfy_mcp.workflow.flaws import listed, shown
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.schema import MATCH, InputSpec, OutputSpec, Schemas

__all__ = ["fits", "link_fault", "outputs_in_words"]

ANY = frozenset({"*", MATCH})


def fits(output: OutputSpec, spec: InputSpec) -> bool:
    """Whether ComfyUI lets *output* be linked to *spec*: one type in common is enough."""
    if output.kind in ANY or spec.kind in ANY:
        return True
    if spec.listed:
        return output.choices == spec.choices
    if output.choices is not None:
        return spec.kind == "COMBO"
    given = {each.strip() for each in output.kind.split(",")}
    wanted = {each.strip() for each in spec.kind.split(",")}
    return "*" in given or "*" in wanted or bool(given & wanted)


def link_fault(
    value: Sequence[object], spec: InputSpec, graph: Graph, schemas: Schemas, *, any_type: bool
) -> Fault | None:
    """What is wrong with the link *value* to *spec*; *any_type*: the node looks at the type."""
    link = as_link(value)
    if link is None:
        return Fault(
            f"{shown(spec.name)} is a list that is no link.",
            'Write ["<node id>", <slot>], or {"__value__": [...]} for a list of values.',
            code="bad_linked_input",
        )
    source = graph.nodes.get(link.node_id)
    if source is None:
        return Fault(
            f"{shown(spec.name)} is linked to node {shown(link.node_id)}, which is not there.",
            f"Link it to one of: {listed(tuple(graph.nodes))}.",
            code="exception_during_inner_validation",
        )
    schema = schemas.get(source.class_type)
    if schema is None:
        return None
    if not 0 <= link.slot < len(schema.outputs):
        return Fault(
            f"{shown(spec.name)} is linked to slot {link.slot} of node {shown(source.id)}"
            f" ({shown(source.class_type)}), which has {len(schema.outputs)}.",
            f"Its outputs: {outputs_in_words(schema.outputs)}.",
            code="exception_during_inner_validation",
        )
    output = schema.outputs[link.slot]
    if any_type or fits(output, spec):
        return None
    return Fault(
        f"{shown(spec.name)} takes {shown(spec.kind)}, and slot {link.slot} of node"
        f" {shown(source.id)} ({shown(source.class_type)}) gives {shown(output.kind)}.",
        f"Link an output of type {shown(spec.kind)}.",
        code="return_type_mismatch",
    )


def outputs_in_words(outputs: Sequence[OutputSpec]) -> str:
    """``0 IMAGE, 1 MASK``; ``none`` if there are none."""
    return listed([f"{slot} {each.name}" for slot, each in enumerate(outputs)]) or "none"
