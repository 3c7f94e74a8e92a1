"""What changes the state: each function is all of one transaction, between head and head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_mcp.store import accounts, journal, ledger, made, standing, sweeps, trail
from comfy_mcp.store.protocol import FINAL, LONGEST_GPU_MS, MadeFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from comfy_mcp.store.head import Head
    from comfy_mcp.store.protocol import Freeze, Tally

__all__ = ["Move", "freeze", "move", "note", "record", "refuse", "reset", "unfreeze"]


@dataclass(frozen=True, slots=True)
class Move:
    """A job's new status with what belongs to it; *result* and *line* are canonical JSON."""

    prompt_id: str
    status: str
    result: str | None
    line: str | None
    gpu_ms: int | None
    files: tuple[MadeFile, ...]


def refuse(
    connection: sqlite3.Connection, head: Head, line: str, tallies: tuple[Tally, ...] = ()
) -> tuple[Head, None]:
    """Write *line* down, and count it for each of *tallies*."""
    if tallies:
        head = head.keeping(tally.window_ms for tally in tallies)
        counted = standing.count(connection, tallies, head.last_ms)
        ledger.prune(connection, head, counted)
    return trail.append(connection, head, line), None


def record(connection: sqlite3.Connection, head: Head, lines: Sequence[str]) -> tuple[Head, None]:
    """Write *lines* down."""
    for line in lines:
        head = trail.append(connection, head, line)
    return head, None


def move(connection: sqlite3.Connection, head: Head, to: Move) -> tuple[Head, bool]:
    """Write a job's new status; a final one settles what it took, once."""
    is_final = to.status in FINAL
    gpu_ms = _within_reason(to.gpu_ms) if is_final else None
    moved = journal.move(
        connection, to.prompt_id, to.status, head.last_ms, result=to.result, gpu_ms=gpu_ms
    )
    if moved is None:
        return head, False
    if is_final:
        ledger.settle(connection, moved.decision_id, to.status, gpu_ms)
        made.add(connection, moved.id, to.files)
    if to.status == "refused" and moved.sweep:
        sweeps.give_back(connection, moved.sweep)
    return head if to.line is None else trail.append(connection, head, to.line), True


def note(
    connection: sqlite3.Connection, head: Head, prompt_id: str, progress: str
) -> tuple[Head, None]:
    """Write how far a job is."""
    journal.note(connection, prompt_id, progress)
    return head, None


def freeze(
    connection: sqlite3.Connection, head: Head, order: Freeze, line: str
) -> tuple[Head, None]:
    """Freeze a grant or everybody, and write *line* down."""
    standing.freeze(connection, order, head.last_ms)
    return trail.append(connection, head, line), None


def unfreeze(
    connection: sqlite3.Connection, head: Head, grant: str, line: str
) -> tuple[Head, bool]:
    """End a freeze, and write *line* down if there was one."""
    if not standing.unfreeze(connection, grant):
        return head, False
    return trail.append(connection, head, line), True


def reset(
    connection: sqlite3.Connection, head: Head, counter: str | None, holder: str | None, line: str
) -> tuple[Head, int]:
    """Forget charges, and cool-downs with all of them; write *line* down."""
    count = accounts.reset(connection, counter, holder)
    if counter is None:
        standing.end_cooldowns(connection, holder)
    return trail.append(connection, head, line), count


def _within_reason(gpu_ms: int | None) -> int | None:
    return None if gpu_ms is None else min(max(0, gpu_ms), LONGEST_GPU_MS)
