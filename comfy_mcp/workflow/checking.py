"""Whether ComfyUI would take a graph, and what is wrong with it: told before ComfyUI is asked.

Follows ``validate_prompt`` and ``validate_inputs`` of ComfyUI's execution.py: only what an output
needs is looked at, an output with a fault in what it needs is left out, and a graph without any
good output is refused. What ComfyUI lets pass and then stumbles over, or silently ignores, is told,
too, and marked as such. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from comfy_mcp.workflow.checking_links import link_fault
from comfy_mcp.workflow.checking_own import Own, own_checks
from comfy_mcp.workflow.checking_values import Fault, value_faults
from comfy_mcp.workflow.flaws import listed, nearest, shown
from comfy_mcp.workflow.graph import Graph, Node, as_link
from comfy_mcp.workflow.inputs import takes
from comfy_mcp.workflow.schema import DYNAMIC_COMBO, InputSpec, NodeSchema, Schemas

__all__ = ["MOST_PROBLEMS", "Checked", "Problem", "check"]

MOST_PROBLEMS = 50

DEEPEST = 984
"""Nodes in one chain: ComfyUI walks it in one recursion (measured with 0.33)."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a graph: *what* it is and the *fix*, both sentences.

    *input* is "" where the node as a whole is meant, *node_id* "" where the graph is. *code* is
    ComfyUI's own word where it has one. *severity* "error": it will not run so; *refuses* then says
    that ComfyUI refuses it, else it is taken and fails when it runs. "warning": it runs, but hardly
    as it was meant. *near* is the name that was probably meant.
    """

    node_id: str
    class_type: str
    input: str
    what: str
    fix: str
    severity: Severity = "error"
    code: str = ""
    refuses: bool = True
    near: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a graph, errors first; *more* problems are left out.

    *outputs* are the ids of the nodes that put something out and would run; *lost* those of them
    that ComfyUI would leave out, while the others run. *missing* names the classes that the host
    does not have.
    """

    problems: tuple[Problem, ...]
    outputs: tuple[str, ...]
    lost: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    more: int = 0

    @property
    def refused(self) -> bool:
        """Whether ComfyUI would refuse the graph as a whole."""
        return not self.outputs

    @property
    def sound(self) -> bool:
        """Whether all of it would run, as far as can be told."""
        return bool(self.outputs) and not any(one.severity == "error" for one in self.problems)


def check(
    graph: Graph,
    schemas: Schemas,
    *,
    files: Mapping[str, bool] | None = None,
    opaque: Collection[str] = (),
    known: Collection[str] | None = None,
    most: int = MOST_PROBLEMS,
) -> Checked:
    """Judge *graph* by the node classes that its host has.

    *schemas* has the classes of the graph that the host has. *files* says of names that nodes load
    (``x.png``, ``sub/x.png [output]``) whether they are there. Of the classes in *opaque* nothing
    is known but that the host takes them. *known* are names of classes to suggest. At most *most*
    problems are told.
    """
    walk = _Walk(graph, schemas, files or {}, frozenset(opaque))
    problems = [*walk.classes(known if known is not None else tuple(schemas))]
    missing = tuple(sorted({one.class_type for one in problems}))
    ends = walk.ends()
    if not ends and not missing:
        problems.append(_NO_OUTPUT)
    if not ends or missing:
        # It will not run anyway: all that is wrong with it is told at once.
        for node_id in graph.nodes:
            walk.runs(node_id)
    sound = [one for one in ends if walk.runs(one)]
    good = () if missing else tuple(sound)
    problems += [*walk.found(), *(walk.unused() if ends else ())]
    problems.sort(key=lambda one: one.severity)
    return Checked(
        problems=tuple(problems[:most]),
        outputs=good,
        lost=tuple(one for one in ends if one not in good) if good else (),
        missing=missing,
        more=max(0, len(problems) - most),
    )


_NO_OUTPUT = Problem(
    "",
    "",
    "",
    "No node of the graph puts anything out.",
    "Add one that does, such as SaveImage or PreviewImage, and link it.",
    code="prompt_no_outputs",
)


@dataclass(slots=True)
class _Walk:
    """What was found so far: the problems of each node, and whether it can run."""

    graph: Graph
    schemas: Schemas
    files: Mapping[str, bool]
    opaque: frozenset[str]
    problems: dict[str, list[Problem]] = field(default_factory=dict[str, list[Problem]])
    fine: dict[str, bool] = field(default_factory=dict[str, bool])
    depth: dict[str, int] = field(default_factory=dict[str, int])

    def classes(self, known: Collection[str]) -> Iterator[Problem]:
        """ComfyUI refuses a graph with a class that it lacks, wherever it stands."""
        names = tuple(known)
        for node in self.graph.nodes.values():
            if node.class_type not in self.schemas and node.class_type not in self.opaque:
                close = nearest(node.class_type, names)
                yield Problem(
                    node.id,
                    node.class_type,
                    "",
                    f"ComfyUI has no node class {shown(node.class_type)}.",
                    f"Did you mean {shown(close)}?" if close else "Use another, or install it.",
                    code="missing_node_type",
                    near=close,
                )

    def ends(self) -> list[str]:
        """The nodes that put something out; where there are none, those nothing is known of."""
        nodes = self.graph.nodes.values()
        known = [
            one.id for one in nodes if (s := self.schemas.get(one.class_type)) and s.output_node
        ]
        return known or [one.id for one in nodes if one.class_type in self.opaque]

    def runs(self, end: str) -> bool:
        """Whether *end* and all that it needs is sound; looks at each node once."""
        waiting = [(end, False)]
        under: set[str] = set()
        while waiting:
            node_id, done = waiting.pop()
            if done:
                under.discard(node_id)
                self.fine[node_id] = self._settled(node_id)
            elif node_id in under:
                self._add(node_id, _cycle(self.graph.nodes[node_id]))
            elif node_id not in self.fine:
                under.add(node_id)
                waiting.append((node_id, True))
                waiting += [(each, False) for each in self._look(self.graph.nodes[node_id])]
        if self.depth[end] > DEEPEST:
            self._add(end, _too_deep(self.graph.nodes[end], self.depth[end]))
            return False
        return self.fine[end]

    def found(self) -> list[Problem]:
        return [one for each in self.problems.values() for one in each]

    def unused(self) -> Iterator[Problem]:
        """Nodes that no output needs."""
        aside = [node for node in self.graph.nodes.values() if node.id not in self.fine]
        if aside:
            names = listed([f"{node.id} ({node.class_type})" for node in aside])
            yield Problem(
                aside[0].id,
                aside[0].class_type,
                "",
                f"No output needs what these nodes make, so they do not run: {names}.",
                "Link them, or take them out.",
                severity="warning",
                refuses=False,
            )

    def _settled(self, node_id: str) -> bool:
        needs = list(self._needs(self.graph.nodes[node_id]))
        self.depth[node_id] = 1 + max((self.depth.get(each, 0) for each in needs), default=0)
        mine = self.problems.get(node_id, ())
        return not any(one.refuses for one in mine) and all(
            self.fine.get(each, False) for each in needs
        )

    def _needs(self, node: Node) -> Iterator[str]:
        """The nodes whose outputs ComfyUI sees to be linked to *node*."""
        schema = self.schemas.get(node.class_type)
        names = list(node.inputs) if schema is None else [s.name for s in schema.asked(node.inputs)]
        for name in names:
            link = as_link(node.inputs.get(name))
            if link is not None and link.node_id in self.graph.nodes:
                yield link.node_id

    def _look(self, node: Node) -> list[str]:
        schema = self.schemas.get(node.class_type)
        if schema is not None:
            for one in _of_node(node, schema, self):
                self._add(node.id, one)
        return list(self._needs(node))

    def _add(self, node_id: str, problem: Problem) -> None:
        self.problems.setdefault(node_id, []).append(problem)


def _cycle(node: Node) -> Problem:
    return Problem(
        node.id,
        node.class_type,
        "",
        "It needs its own output.",
        "Cut a link of the circle.",
        code="dependency_cycle",
    )


def _too_deep(node: Node, depth: int) -> Problem:
    return Problem(
        node.id,
        node.class_type,
        "",
        f"{depth} nodes in one chain lead to it, more than the {DEEPEST} that ComfyUI can follow.",
        "Split the graph.",
        code="exception_during_inner_validation",
    )


def _of_node(node: Node, schema: NodeSchema, walk: _Walk) -> Iterator[Problem]:
    own = own_checks(node.class_type)
    asked = {spec.name: spec for spec in schema.asked(node.inputs)}
    for spec in asked.values():
        for fault in _of_input(node, spec, own, walk):
            yield _problem(node, spec.name, fault)
    for fault in own.faults(node, asked, walk.files):
        yield _problem(node, fault.input, fault)
    if not own.takes_all:
        yield from _aside(node, schema, asked)


def _of_input(node: Node, spec: InputSpec, own: Own, walk: _Walk) -> Iterable[Fault]:
    if spec.name not in node.inputs:
        if not spec.required:
            return ()
        return (
            Fault(
                f"The required input {shown(spec.name)} is missing.",
                f"It takes {takes(spec)}.",
                code="required_input_missing",
            ),
        )
    value = node.inputs[spec.name]
    if isinstance(value, list | tuple):
        fault = link_fault(
            cast("list[object]", value),
            spec,
            walk.graph,
            walk.schemas,
            any_type=own.any_link(spec.name),
        )
        return () if fault is None else (fault,)
    return value_faults(value, spec, unchecked=own.passes(spec.name))


def _aside(node: Node, schema: NodeSchema, asked: Mapping[str, InputSpec]) -> Iterator[Problem]:
    """What ComfyUI does not look at: dynamic choices that are none, and unknown names."""
    every = {spec.name: spec for spec in schema.active(node.inputs)}
    for name, spec in every.items():
        if (
            spec.kind == DYNAMIC_COMBO
            and name not in asked
            and (spec.required or name in node.inputs)
        ):
            yield _problem(node, name, _choice(spec, node.inputs.get(name)))
    names = tuple(asked)
    for name in node.inputs:
        if name in asked or name in every:
            continue
        close = nearest(name, [each for each in (*names, *every) if each not in node.inputs])
        yield _problem(
            node,
            name,
            Fault(
                f"There is no input {shown(name)}, so ComfyUI ignores it.",
                f"Did you mean {shown(close)}?" if close else f"It has: {listed(names) or 'none'}.",
                severity="warning",
                refuses=False,
            ),
        )


def _choice(spec: InputSpec, value: object) -> Fault:
    choices = [each for each in spec.choices or () if isinstance(each, str)]
    if value is None:
        what = (
            f"The choice {shown(spec.name)} is missing: ComfyUI does not ask for it, but needs it."
        )
        return Fault(what, f"One of: {listed(choices)}.", refuses=False)
    what = f"{shown(spec.name)} is {shown(repr(value))}, which is no choice of it: it is ignored."
    close = nearest(value, choices) if isinstance(value, str) else None
    hint = f" Did you mean {shown(close)}?" if close else ""
    return Fault(what, f"One of: {listed(choices)}.{hint}", refuses=False)


def _problem(node: Node, name: str, fault: Fault) -> Problem:
    return Problem(
        node.id,
        node.class_type,
        name,
        fault.what,
        fault.fix,
        severity=fault.severity,
        code=fault.code,
        refuses=fault.refuses,
        near=fault.near,
    )
