"""The numbers among a graph's facts: steps, sizes, batches and frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from comfy_mcp.workflow.evaluate import Evaluation
from comfy_mcp.workflow.facts import Unknown
from comfy_mcp.workflow.nodes.amounts import LARGEST, Amount, times
from comfy_mcp.workflow.nodes.flow import Picture
from comfy_mcp.workflow.nodes.videos import FRAMES_ARE_BATCH

__all__ = ["NUMBERS", "Numbers", "count"]

NUMBERS = ("steps", "total_steps", "width", "height", "megapixels", "batch", "frames")

_MEGA = 1_000_000


@dataclass
class Numbers:
    """The largest of each so far (*megapixels* in pixels), who made it so, and what is not sure."""

    largest: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    where: dict[str, str] = field(default_factory=dict[str, str])
    unknown: list[tuple[str, Unknown]] = field(default_factory=list[tuple[str, Unknown]])

    def see(self, name: str, amount: Amount, node_id: str) -> None:
        """That the node *node_id* has *amount* of *name*."""
        if amount.unknown is not None:
            self.unknown.append((name, amount.unknown))
        if amount.n > self.largest[name]:
            self.largest[name] = amount.n
            self.where[name] = node_id

    @property
    def megapixels(self) -> float:
        """The largest picture."""
        return self.largest["megapixels"] / _MEGA


def count(done: Evaluation) -> Numbers:
    """The largest number of each kind in the whole graph, whether or not a node will run."""
    numbers = Numbers()
    for node_id, node in done.graph.nodes.items():
        for flow in done.flows.get(node_id, ()):
            if flow.picture is not None and not flow.picture.loaded:
                _see_picture(numbers, flow.picture, node_id)
                if node.class_type in FRAMES_ARE_BATCH:
                    numbers.see("frames", flow.picture.batch, node_id)
    _see_samplings(numbers, done)
    return numbers


def _see_picture(numbers: Numbers, picture: Picture, node_id: str) -> None:
    numbers.see("width", picture.width, node_id)
    numbers.see("height", picture.height, node_id)
    numbers.see("megapixels", picture.pixels, node_id)
    numbers.see("batch", picture.batch, node_id)
    numbers.see("frames", picture.frames, node_id)


def _see_samplings(numbers: Numbers, done: Evaluation) -> None:
    total, most = 0, 0
    for node_id in done.graph.nodes:
        sampling = done.samplings.get(node_id)
        if sampling is None:
            continue
        numbers.see("steps", sampling.steps, node_id)
        own = times(sampling.steps, sampling.batch)
        total = min(LARGEST, total + own.n)
        if own.unknown is not None:
            numbers.unknown.append(("total_steps", own.unknown))
        if own.n > most:
            most = own.n
            numbers.where["total_steps"] = node_id
    numbers.largest["total_steps"] = total
