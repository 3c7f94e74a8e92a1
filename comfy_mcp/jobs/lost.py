"""Why a job is lost, and in words: it will not finish, and nobody may take it for done.

ComfyUI has no boot id. That it was restarted shows in connections that broke (the host's epoch),
and in the numbers that it gives to jobs, which begin at 0 again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from comfy_mcp.jobs.job import JobFailure

if TYPE_CHECKING:
    from comfy_mcp.store.protocol import JobRow

__all__ = ["cause_of", "lost_note", "why_lost"]

AGAIN = "If it is still wanted, run the workflow again."

_WORDS: Mapping[str, str] = {
    "restarted": "ComfyUI was restarted, or was gone for a while, and no longer knows this job:"
    " it will not be finished. Files that it had saved by then are still in ComfyUI's folder.",
    "removed": "This job is no longer in ComfyUI's queue or history: most likely somebody removed"
    " it, so nobody can say how it ended.",
    "never_seen": "The answer to its submit was lost, and ComfyUI has never shown this job: most"
    " likely it never ran.",
    "untold": "The answer to its submit was lost, and ComfyUI does not show this job. It or this"
    " server was away meanwhile, so that nobody can say whether the job ran.",
    "leaving": "This job was to be taken out of ComfyUI's queue when this server or ComfyUI was"
    " stopped. ComfyUI has it no more, so that nobody can say whether it ran.",
    "lost": "ComfyUI has this job neither in its queue nor in its history: it was restarted, or"
    " somebody removed the job.",
}
"""What happened, for each cause."""


def cause_of(row: JobRow, *, seen: int | None, epoch: int, later: Iterable[JobRow]) -> str:
    """Why ComfyUI does not have the job of *row*: one of `_WORDS`.

    *seen* is the host's epoch when the job was last known to be there, or was sent there; None if
    this process knows nothing of that. *epoch* is that of now, *later* are rows newer than *row*.
    """
    away = any(_anew(row, one) for one in later) or (seen is not None and seen != epoch)
    if row.status == "submitting":
        return "untold" if away or seen is None else "never_seen"
    if away:
        return "restarted"
    if seen is not None:
        return "removed"
    return "leaving" if row.status == "stopping" else "lost"


def lost_note(why: str) -> dict[str, Any]:
    """What the journal keeps of a job's loss."""
    return {"lost": why}


def why_lost(row: JobRow) -> JobFailure:
    """What a caller reads about a lost job; its type is one of `_WORDS`."""
    why = row.result.get("lost")
    kind = why if isinstance(why, str) and why in _WORDS else "lost"
    return JobFailure(type=kind, message=_WORDS[kind], hint=AGAIN)


def _anew(earlier: JobRow, later: JobRow) -> bool:
    """Whether ComfyUI counted anew between two jobs.

    Those that were put in front have numbers below zero, and say nothing.
    """
    first, second = _number(earlier), _number(later)
    return first is not None and second is not None and 0 <= second <= first


def _number(row: JobRow) -> float | None:
    number = row.result.get("number")
    return number if isinstance(number, int | float) else None
