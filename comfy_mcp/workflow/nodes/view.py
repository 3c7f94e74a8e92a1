"""One node as a rule sees it: its inputs, with everything that comes in over links."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from comfy_mcp.workflow.facts import Known, Unknown
from comfy_mcp.workflow.graph import Link, Node, as_link
from comfy_mcp.workflow.nodes.amounts import ONE, Amount, Factor, most
from comfy_mcp.workflow.nodes.flow import Constant, Flow, Opaque, Picture, nowhere
from comfy_mcp.workflow.nodes.literals import as_real, as_text, as_truth, as_whole

__all__ = ["Rule", "View"]


class View:
    """What *node* is given. Inputs are asked for by name; a missing one has a default.

    *source* finds what an output gives (None: nobody knows), *class_of* the class of a node.
    """

    def __init__(
        self,
        node: Node,
        known: Known,
        source: Callable[[Link], Flow | None],
        class_of: Callable[[str], str],
    ) -> None:
        self.node = node
        self.known = known
        self._source = source
        self._class_of = class_of
        self._flows: dict[str, Flow] | None = None
        self.links: Mapping[str, Link] = {
            name: link
            for name, value in node.inputs.items()
            if (link := as_link(value)) is not None
        }
        """The linked inputs by name, in the order they stand there."""

    def of(self, node: Node) -> View:
        """The same for another form of the node."""
        return self if node is self.node else View(node, self.known, self._source, self._class_of)

    @property
    def flows(self) -> Mapping[str, Flow]:
        """What comes in, by name; without links to what is not there."""
        if self._flows is None:
            found = ((name, self._source(link)) for name, link in self.links.items())
            self._flows = {name: flow for name, flow in found if flow is not None}
        return self._flows

    def has(self, name: str) -> bool:
        """Whether the input is given, as a literal or a link."""
        return name in self.node.inputs

    def unknown(self, name: str, why: str) -> Unknown:
        """That the input *name* decides something that is not known."""
        return Unknown(self.node.id, self.node.class_type, name, why)

    def opaque(self, why: str = "whose result cannot be foreseen") -> Opaque:
        """That what this node gives cannot be foreseen."""
        return Opaque(self.node.id, self.node.class_type, why)

    def value(self, name: str) -> Constant | Opaque | None:
        """What the input holds in the end; None if it is missing."""
        link = self.links.get(name)
        if link is None:
            return Constant(self.node.inputs[name]) if name in self.node.inputs else None
        flow = self.flows.get(name)
        if flow is not None and flow.value is not None:
            return flow.value
        if flow is not None and flow.stranger is not None:
            return flow.stranger
        return Opaque(link.node_id, self._class_of(link.node_id))

    def whole(self, name: str, default: Amount = ONE) -> Amount:
        """The number of an ``INT`` input, nothing below 0; *default* if it is missing.

        Below 0 behind a link is unknown: ComfyUI holds only literals to an input's minimum, and
        what a node makes of such a number is its own.
        """
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, Opaque):
            return Amount(0, self.unknown(name, value.words()))
        number = as_whole(value.value)
        if number is None:
            return self._refused(name)
        return Amount.of(number, self._below_zero(name, number))

    def real(self, name: str, default: float = 1.0) -> Factor:
        """The number of a ``FLOAT`` input; *default* if it is missing; see `whole` for links."""
        value = self.value(name)
        if value is None:
            return Factor(default)
        if isinstance(value, Opaque):
            return Factor(default, self.unknown(name, value.words()))
        number = as_real(value.value)
        if number is None:
            return Factor(default, self._refused(name).unknown)
        return Factor(number, self._below_zero(name, number))

    def text(self, name: str, default: str = "") -> str | Opaque:
        """The text of a ``STRING`` or ``COMBO`` input; *default* if it is missing."""
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, Opaque):
            return value
        text = as_text(value.value)
        return self.opaque("which holds no text there") if text is None else text

    def choice(self, name: str, default: str = "") -> str:
        """The same, but an unforeseen one is empty."""
        text = self.text(name, default)
        return "" if isinstance(text, Opaque) else text

    def truth(self, name: str, *, default: bool = False) -> bool | Opaque:
        """The value of a ``BOOLEAN`` input; *default* if it is missing."""
        value = self.value(name)
        if value is None or isinstance(value, Opaque):
            return default if value is None else value
        return as_truth(value.value)

    def picture(self, name: str) -> Picture | None:
        """The pictures that come in there; None if it is not linked or to no such thing.

        A class that is unknown here, and that says nothing of sizes, may give any.
        """
        link, flow = self.links.get(name), self.flows.get(name)
        if flow is not None and (flow.picture is not None or flow.stranger is None):
            return flow.picture
        if link is None:
            return None
        stranger = flow.stranger if flow is not None else None
        stranger = stranger or Opaque(link.node_id, self._class_of(link.node_id))
        return nowhere(self.unknown(name, stranger.words()))

    def pictures(self) -> Iterator[Picture]:
        """All pictures that come in and of which something is known."""
        for flow in self.flows.values():
            if flow.picture is not None:
                yield flow.picture

    def items(self, *names: str) -> Amount:
        """How many values come one after the other, at most, over all inputs or *names*."""
        several = [
            flow.items
            for name, flow in self.flows.items()
            if flow.items is not ONE and (not names or name in names)
        ]
        return most(ONE, *several) if several else ONE

    def _below_zero(self, name: str, number: float) -> Unknown | None:
        linked = number < 0 and name in self.links
        return self.unknown(name, "is given a number below 0 by a link") if linked else None

    def _refused(self, name: str) -> Amount:
        return Amount(0, self.unknown(name, "holds no number that ComfyUI takes"))


Rule = Callable[[View], Flow | tuple[Flow, ...] | None]
"""What a class gives: one flow for all its outputs, one for each, or nothing that counts."""
