"""How far the nodes of a job are, and which of it is worth a message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Progress", "Throttle"]

PAUSE_MS = 100
LEAST_PART = 0.005


@dataclass(slots=True)
class Progress:
    """Every started node of one job; each message repeats all of them, as ComfyUI's do."""

    prompt_id: str
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def start(self, node_id: str) -> None:
        """The node runs."""
        self._set(node_id, 0.0, 1.0, "running")

    def step(self, node_id: str, value: float, most: float) -> None:
        """The node is *value* of *most* on its way."""
        self._set(node_id, value, most, "running")

    def finish(self, node_id: str) -> None:
        """The node is done."""
        most = self.nodes.get(node_id, {"max": 1})["max"]
        self._set(node_id, most, most, "finished")

    def message(self) -> dict[str, Any]:
        """The data of a progress_state message."""
        nodes = {node_id: dict(state) for node_id, state in self.nodes.items()}
        return {"prompt_id": self.prompt_id, "nodes": nodes}

    def _set(self, node_id: str, value: float, most: float, state: str) -> None:
        self.nodes[node_id] = {
            "value": value,
            "max": most,
            "state": state,
            "node_id": node_id,
            "prompt_id": self.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }


@dataclass(slots=True)
class Throttle:
    """Lets a step through when enough time has passed and enough was done, or it is the last."""

    enabled: bool
    last_ms: int | None = None
    last_part: float = 0.0

    def passes(self, value: int, most: int, now_ms: int) -> bool:
        """Whether the step is worth a message at *now_ms*."""
        part = value / most if most else 1.0
        first_or_last = self.last_ms is None or value >= most
        if self.enabled and not first_or_last and not self._enough(part, now_ms):
            return False
        self.last_ms, self.last_part = now_ms, part
        return True

    def _enough(self, part: float, now_ms: int) -> bool:
        waited = now_ms - (self.last_ms or 0)
        return waited >= PAUSE_MS and part - self.last_part >= LEAST_PART
