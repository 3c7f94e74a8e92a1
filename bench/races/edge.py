"""Where a job ends, found by trying: a delay that follows the edge of too soon and too late."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Edge"]

SPREAD = (-0.25, 0.0, 0.1, -0.1, 0.05, -0.05, 0.02, -0.02)
"""How far from the edge the delays fall, in parts of it, in turn."""

STEP = 0.04
"""How far the edge is moved by one trial, in parts of it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """*seconds* after its start a job is believed to end; *turn* trials were made."""

    seconds: float
    turn: int = 0

    @property
    def delay(self) -> float:
        """When the next cancel should fall, in seconds after the start."""
        return max(0.0, self.seconds * (1 + SPREAD[self.turn % len(SPREAD)]))

    def after(self, *, too_late: bool) -> Edge:
        """The edge as it is believed to be after a trial whose cancel came in time, or not."""
        factor = 1 - STEP if too_late else 1 + STEP
        return replace(self, seconds=self.seconds * factor, turn=self.turn + 1)
