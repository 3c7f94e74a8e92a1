"""From one end of a graph to the other: what runs along each link, and what samplers do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.graph import Graph, Link, Node
from comfy_mcp.workflow.nodes import OWN_RULES, POPULAR_RULES, is_own
from comfy_mcp.workflow.nodes.amounts import ONE, Amount, times
from comfy_mcp.workflow.nodes.batching import LISTS_IN
from comfy_mcp.workflow.nodes.flow import Flow
from comfy_mcp.workflow.nodes.sampling import SAMPLINGS, Sampling
from comfy_mcp.workflow.nodes.strangers import sampling_of_stranger, stranger
from comfy_mcp.workflow.nodes.view import View

__all__ = ["Evaluation", "evaluate"]

_NOTHING = Flow()


@dataclass(frozen=True)
class Evaluation:
    """Everything that is known of a graph's links, node by node.

    *samplings* has what a sampler does in all its runs together.
    """

    graph: Graph
    known: Known
    flows: Mapping[str, tuple[Flow, ...]] = field(default_factory=dict[str, tuple[Flow, ...]])
    samplings: Mapping[str, Sampling] = field(default_factory=dict[str, Sampling])
    views: Mapping[str, View] = field(default_factory=dict[str, View])

    def view(self, node: Node) -> View:
        """*node* with all that comes in."""
        made = self.views.get(node.id)
        return View(node, self.known, self.source, self.class_of) if made is None else made

    def source(self, link: Link) -> Flow | None:
        """What an output gives; None if its node has not been worked out."""
        flows = self.flows.get(link.node_id)
        if flows is None:
            return None
        if len(flows) == 1:
            return flows[0]
        return flows[link.slot] if 0 <= link.slot < len(flows) else _NOTHING

    def class_of(self, node_id: str) -> str:
        """The class of a node."""
        node = self.graph.nodes.get(node_id)
        return "?" if node is None else node.class_type


def evaluate(graph: Graph, known: Known) -> Evaluation:
    """Work out each node once, those that others depend on first; no recursion.

    What is in a circle, or behind one, stays unknown.
    """
    flows: dict[str, tuple[Flow, ...]] = {}
    samplings: dict[str, Sampling] = {}
    views: dict[str, View] = {}
    done = Evaluation(graph, known, flows, samplings, views)
    for view in _in_order(done):
        node = view.node
        views[node.id] = view
        own = is_own(node.class_type)
        seen = view if own else view.of(_with_defaults(node, known))
        runs = ONE if node.class_type in LISTS_IN else seen.items()
        flows[node.id] = _outputs(seen, runs, own=own)
        sampling = _sampling(seen, own=own)
        if sampling is not None:
            samplings[node.id] = replace(sampling, batch=times(sampling.batch, runs))
    return done


def _with_defaults(node: Node, known: Known) -> Node:
    """A custom class may have numbers in inputs that are left out."""
    info = known.classes.get(node.class_type)
    if info is None or not info.defaults:
        return node
    return replace(node, inputs={**info.defaults, **node.inputs})


def _in_order(done: Evaluation) -> Iterator[View]:
    """Each node after those it depends on; what depends on itself comes last."""
    views = {node.id: done.view(node) for node in done.graph.nodes.values()}
    waits: dict[str, int] = {}
    feeds: dict[str, list[str]] = {}
    for node_id, view in views.items():
        sources = {link.node_id for link in view.links.values()} & views.keys()
        waits[node_id] = len(sources)
        for source in sources:
            feeds.setdefault(source, []).append(node_id)
    ready = deque(node_id for node_id, count in waits.items() if not count)
    while ready:
        node_id = ready.popleft()
        yield views.pop(node_id)
        for other in feeds.get(node_id, ()):
            waits[other] -= 1
            if not waits[other]:
                ready.append(other)
    yield from views.values()


def _outputs(view: View, runs: Amount, *, own: bool) -> tuple[Flow, ...]:
    """What comes out. A node runs for each item and gives so many; custom ones pass them on."""
    rule = (OWN_RULES if own else POPULAR_RULES).get(view.node.class_type)
    made = (None if own else stranger(view)) if rule is None else rule(view)
    flows = made if isinstance(made, tuple) else (made or _NOTHING,)
    if runs is ONE or not own:
        return flows
    return tuple(replace(flow, items=times(flow.items, runs)) for flow in flows)


def _sampling(view: View, *, own: bool) -> Sampling | None:
    if not own:
        return sampling_of_stranger(view)
    rule = SAMPLINGS.get(view.node.class_type)
    return None if rule is None else rule(view)
