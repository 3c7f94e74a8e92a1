"""What those who admit calls work with, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from comfy_mcp.guard.asking import Asker
from comfy_mcp.guard.clerk import Clerk
from comfy_mcp.guard.hearing import Hearing
from comfy_mcp.guard.room import Reconcile
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.guard.whole import Tasks
from comfy_mcp.store.protocol import Store

__all__ = ["Offices"]


@dataclass(slots=True)
class Offices:
    """The parts of one gate.

    *new_id* makes ids, *reconcile* frees what jobs hold that have ended unnoticed, *clock* is in
    seconds that only rise.
    """

    source: PolicySource
    store: Store
    hearing: Hearing
    clerk: Clerk
    asker: Asker
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    reconcile: Reconcile
    clock: Callable[[], float]
    tasks: Tasks = field(default_factory=Tasks)

    def decision_id(self) -> str:
        """A new one."""
        return f"dec_{self.new_id()}"
