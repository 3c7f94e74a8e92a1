"""A graph changed step by step, all or none; values and links are held to the node classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.checking_links import fits, outputs_in_words
from comfy_mcp.workflow.checks import MAX_ID
from comfy_mcp.workflow.editing_inputs import Wrong, filled_up, found, link_in, put
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.graph import Graph, as_link
from comfy_mcp.workflow.operations import Operation
from comfy_mcp.workflow.parse import MAX_NODES, parse_graph
from comfy_mcp.workflow.schema import InputSpec, NodeSchema, Schemas
from comfy_mcp.workflow.values import has_control

__all__ = ["Edited", "edited"]


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of a graph; *added* are the ids of new nodes, *notes* say what was lost."""

    graph: Graph
    added: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def edited(
    graph: Graph | None,
    operations: Sequence[Operation],
    schemas: Schemas,
    known: Collection[str] = (),
) -> Edited:
    """*graph* (None: an empty one) after *operations*; it may still lack inputs.

    *schemas* has the classes of the graph and of the operations that the host has, *known* are
    names of classes to suggest.

    Raises:
        WorkflowError: a step cannot be done; names its number, node and input. Nothing is changed.
    """
    desk = _Desk({} if graph is None else cast("Any", graph.to_json()), schemas, tuple(known))
    for step in operations:
        try:
            _STEPS[step.op](desk, step)
        except Wrong as wrong:
            raise WorkflowError(
                f"{step.name}{wrong.where}: {wrong} Nothing was changed.",
                node_id=wrong.node or None,
                input_name=wrong.input or None,
            ) from None
    made = parse_graph(desk.nodes) if desk.nodes else Graph(MappingProxyType({}))
    return Edited(made, tuple(one for one in desk.added if one in desk.nodes), tuple(desk.notes))


@dataclass(slots=True)
class _Desk:
    """The nodes as they are by now."""

    nodes: dict[str, dict[str, Any]]
    schemas: Schemas
    known: tuple[str, ...]
    added: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])

    def node(self, node_id: str) -> dict[str, Any]:
        if node_id not in self.nodes:
            ids = tuple(self.nodes)
            have = f"There are: {listed(ids)}." if ids else "The graph is empty: add one first."
            raise Wrong(f"there is no such node. {have}", node_id)
        return self.nodes[node_id]

    def inputs(self, node_id: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self.node(node_id)["inputs"])

    def schema(self, class_type: str, node_id: str = "") -> NodeSchema:
        schema = self.schemas.get(class_type)
        if schema is None:
            close = nearest(class_type, self.known)
            hint = f"Did you mean {shown(close)}?" if close else "search_nodes finds others."
            raise Wrong(f"ComfyUI has no node class {shown(class_type)}. {hint}", node_id)
        return schema

    def schema_of(self, node_id: str) -> NodeSchema:
        return self.schema(str(self.node(node_id)["class_type"]), node_id)

    def links_to(self, node_id: str) -> list[tuple[str, str, int]]:
        """Node, input and slot of each link from *node_id*."""
        return [
            (other, name, link.slot)
            for other, node in self.nodes.items()
            for name, value in node["inputs"].items()
            if (link := as_link(value)) is not None and link.node_id == node_id
        ]

    def needs(self, node_id: str, wanted: str) -> bool:
        """Whether *node_id* is *wanted*, or needs what it makes."""
        seen: set[str] = set()
        waiting = [node_id]
        while waiting:
            one = waiting.pop()
            if one == wanted:
                return True
            if one not in seen and one in self.nodes:
                seen.add(one)
                links = map(as_link, self.nodes[one]["inputs"].values())
                waiting += [link.node_id for link in links if link is not None]
        return False

    def give(self, node_id: str, name: str, value: Any) -> None:
        """Put a value, or a link ``[node, slot or output's name]``, into an input."""
        pair = link_in(value)
        if pair is not None:
            self.link(node_id, name, pair[0], pair[1])
        else:
            put(node_id, self.schema_of(node_id), self.inputs(node_id), name, value)

    def link(self, node_id: str, name: str, source: str, output: int | str | None) -> None:
        schema, inputs = self.schema_of(node_id), self.inputs(node_id)
        spec = found(node_id, schema, inputs, name, free=True)
        if source not in self.nodes:
            raise Wrong(
                f"there is no node {shown(source)} to link to. There are:"
                f" {listed(tuple(self.nodes))}.",
                node_id,
                name,
            )
        slot = _slot(self.schema_of(source), source, output, spec, node_id)
        if self.needs(source, node_id):
            raise Wrong(f"node {shown(source)} needs this node: a circle.", node_id, name)
        inputs[spec.name if spec is not None else name] = [source, slot]


def _slot(
    schema: NodeSchema, source: str, output: int | str | None, spec: InputSpec | None, node_id: str
) -> int:
    """The slot of *source* that *output* means and that *spec* takes."""
    outputs = schema.outputs
    name = "" if spec is None else spec.name
    has = f"node {shown(source)} ({shown(schema.class_type)}) has {outputs_in_words(outputs)}"
    if output is None:
        slots = [i for i, one in enumerate(outputs) if spec is None or fits(one, spec)]
    elif isinstance(output, int):
        slots = [output] if 0 <= output < len(outputs) else []
    else:
        slots = [i for i, one in enumerate(outputs) if one.name == output]
        slots = slots or [
            i
            for i, one in enumerate(outputs)
            if output.lower() in {one.name.lower(), one.kind.lower()}
        ]
    if not slots:
        wanted = "" if output is None or spec is None else f" {shown(str(output))}"
        what = f"no output{wanted}" if wanted else f"no output of type {spec.kind if spec else ''}"
        raise Wrong(f"there is {what}: {has}.", node_id, name)
    slot = slots[0]
    if spec is not None and not fits(outputs[slot], spec):
        fitting = [f"{i} {one.name}" for i, one in enumerate(outputs) if fits(one, spec)]
        hint = f" Link its output {listed(fitting)}." if fitting else ""
        raise Wrong(
            f"it takes {shown(spec.kind)}, and output {slot} of node {shown(source)}"
            f" ({shown(schema.class_type)}) gives {shown(outputs[slot].kind)}.{hint}",
            node_id,
            name,
        )
    return slot


def _add(desk: _Desk, step: Operation) -> None:
    schema = desk.schema(step.class_type)
    if len(desk.nodes) >= MAX_NODES:
        raise Wrong(f"the graph has {MAX_NODES} nodes, the most there may be.")
    node_id = step.node or _next(desk.nodes)
    if node_id in desk.nodes:
        raise Wrong(
            f"there is a node of that id; the next free one is {_next(desk.nodes)}.", node_id
        )
    if len(node_id) > MAX_ID or has_control(node_id):
        raise Wrong(
            f"a node's id has at most {MAX_ID} characters, none of them a control.", node_id
        )
    desk.nodes[node_id] = {"class_type": schema.class_type, "inputs": {}}
    desk.added.append(node_id)
    _give_all(desk, node_id, step.inputs)
    filled_up(schema, desk.inputs(node_id))
    if step.title:
        _title(desk, Operation(step.number, step.op, node=node_id, title=step.title))


def _give_all(desk: _Desk, node_id: str, inputs: Mapping[str, Any]) -> None:
    # What a dynamic input brings with it is there once that is given: shorter names first.
    for name in sorted(inputs, key=lambda name: name.count(".")):
        desk.give(node_id, name, inputs[name])


def _next(nodes: Mapping[str, object]) -> str:
    numbers = [int(one) for one in nodes if one.isdecimal() and len(one) < 10]  # noqa: PLR2004 - ids that a person counts up
    return str(max(numbers, default=0) + 1)


def _remove(desk: _Desk, step: Operation) -> None:
    desk.node(step.node)
    for other, name, _ in desk.links_to(step.node):
        del desk.nodes[other]["inputs"][name]
        if other != step.node:
            desk.notes.append(f"Node {shown(other)}, input {shown(name)}: its link went with it.")
    del desk.nodes[step.node]


def _connect(desk: _Desk, step: Operation) -> None:
    desk.link(step.node, step.input, step.source, step.output)


def _disconnect(desk: _Desk, step: Operation) -> None:
    inputs = desk.inputs(step.node)
    if as_link(inputs.get(step.input)) is None:
        linked = [name for name, value in inputs.items() if as_link(value) is not None]
        have = f"Linked are: {listed(linked)}." if linked else "None of its inputs is."
        raise Wrong(f"it is not linked. {have}", step.node, step.input)
    del inputs[step.input]
    filled_up(desk.schema_of(step.node), inputs)


def _set(desk: _Desk, step: Operation) -> None:
    desk.give(step.node, step.input, step.value)


def _replace(desk: _Desk, step: Operation) -> None:
    node, schema = desk.node(step.node), desk.schema(step.class_type, step.node)
    was, desk_inputs = desk.schemas.get(str(node["class_type"])), dict(node["inputs"])
    node["class_type"], node["inputs"] = schema.class_type, {}
    for name in sorted(desk_inputs, key=lambda name: name.count(".")):
        try:
            desk.give(step.node, name, desk_inputs[name])
        except Wrong:
            if name not in step.inputs:
                desk.notes.append(f"Node {shown(step.node)}: input {shown(name)} was left out.")
    _give_all(desk, step.node, step.inputs)
    filled_up(schema, desk.inputs(step.node))
    _relink(desk, step.node, was, schema)


def _relink(desk: _Desk, node_id: str, was: NodeSchema | None, schema: NodeSchema) -> None:
    """Keep the links from a replaced node that fit its new outputs: by name and type, by slot."""
    for other, name, slot in desk.links_to(node_id):
        taker = desk.schemas.get(str(desk.nodes[other]["class_type"]))
        specs = {} if taker is None else {s.name: s for s in taker.active(desk.inputs(other))}
        spec = specs.get(name)
        before = was.outputs[slot].name if was is not None and slot < len(was.outputs) else None
        fitting = [i for i, one in enumerate(schema.outputs) if spec is None or fits(one, spec)]
        fitting.sort(key=lambda i: (schema.outputs[i].name != before, i != slot, i))
        if fitting:
            desk.nodes[other]["inputs"][name] = [node_id, fitting[0]]
        else:
            del desk.nodes[other]["inputs"][name]
            desk.notes.append(f"Node {shown(other)}, input {shown(name)}: no output fits any more.")


def _title(desk: _Desk, step: Operation) -> None:
    node = desk.node(step.node)
    if len(step.title) > MAX_TITLE or has_control(step.title):
        raise Wrong(f"a title has at most {MAX_TITLE} characters, none a control.", step.node)
    held: dict[str, Any] = node.get("_meta") or {}
    meta = {key: value for key, value in held.items() if key != "title"}
    meta |= {"title": step.title} if step.title else {}
    node.pop("_meta", None)
    if meta:
        node["_meta"] = meta


MAX_TITLE = 200

_STEPS: dict[str, Callable[[_Desk, Operation], None]] = {
    "add": _add,
    "remove": _remove,
    "connect": _connect,
    "disconnect": _disconnect,
    "set": _set,
    "replace": _replace,
    "title": _title,
}
