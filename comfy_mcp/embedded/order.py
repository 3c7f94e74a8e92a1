"""In which order nodes run: what is needed first, and what can be shown soonest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.cache import is_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from comfy_mcp.embedded.nodes.base import Node

__all__ = ["Order"]


@dataclass(slots=True)
class Order:
    """The nodes still to run; *waits* tells for each what it waits for."""

    prompt: Mapping[str, Any]
    catalogue: Mapping[str, Node]
    waits: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def add(self, outputs: Iterable[str], is_cached: Callable[[str], bool]) -> None:
        """Need *outputs* and what they are made from, but for what is cached."""
        todo = list(outputs)
        while todo:
            node_id = todo.pop()
            if node_id in self.waits:
                continue
            sources = {
                value[0] for value in self.prompt[node_id]["inputs"].values() if is_link(value)
            }
            self.waits[node_id] = {each for each in sources if not is_cached(each)}
            todo += sorted(self.waits[node_id])

    def next(self) -> str | None:
        """The node to run now: an output if one is ready, else what leads to one soonest."""
        ready = [node_id for node_id, sources in self.waits.items() if not sources]
        if not ready:
            return None
        tests = (self._is_output, self._feeds_output, self._feeds_feeder)
        chosen = (next((each for each in ready if test(each)), None) for test in tests)
        return next((each for each in chosen if each is not None), ready[0])

    def done(self, node_id: str) -> None:
        """The node has run: what waited for it may."""
        del self.waits[node_id]
        for sources in self.waits.values():
            sources.discard(node_id)

    def _followers(self, node_id: str) -> list[str]:
        return [each for each, sources in self.waits.items() if node_id in sources]

    def _is_output(self, node_id: str) -> bool:
        return self.catalogue[self.prompt[node_id]["class_type"]].output_node

    def _feeds_output(self, node_id: str) -> bool:
        return any(self._is_output(each) for each in self._followers(node_id))

    def _feeds_feeder(self, node_id: str) -> bool:
        return any(self._feeds_output(each) for each in self._followers(node_id))
