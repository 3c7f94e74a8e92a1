"""How a job may move, as a table: what is not in it cannot happen.

The words are ComfyUI's own (``GET /api/jobs``), and three of ours: ``submitting`` until ComfyUI is
known to have the job, ``stopping`` once a pending job was asked to leave the queue, and ``lost``
for a job that ComfyUI has neither in its queue nor in its history. ``refused`` never ran.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MOVES", "ends", "may_move", "shown"]

_END = frozenset({"completed", "failed", "cancelled", "lost"})

MOVES: Mapping[str, frozenset[str]] = {
    "submitting": _END | {"pending", "in_progress", "stopping", "refused"},
    "pending": _END | {"in_progress", "stopping"},
    "stopping": _END | {"in_progress"},
    "in_progress": _END | {"stopping"},
    "completed": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "lost": frozenset(),
    "refused": frozenset(),
}


def may_move(old: str, new: str) -> bool:
    """Whether a job of status *old* may become *new*."""
    return new in MOVES.get(old, frozenset())


def ends(status: str) -> bool:
    """Whether nothing follows *status*."""
    return not MOVES[status]


def shown(status: str) -> str:
    """The word a caller sees: ours for a job on its way in or out of the queue is ``pending``."""
    return "pending" if status in {"submitting", "stopping"} else status
