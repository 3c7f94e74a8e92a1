"""Why a job is lost, in words: it will not finish, and nobody may take it for done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfy_mcp.jobs.job import JobFailure

if TYPE_CHECKING:
    from comfy_mcp.store.protocol import JobRow

__all__ = ["lost_note", "why_lost"]

AGAIN = "If it is still wanted, run the workflow again."

_WORDS: Mapping[str, str] = {
    "restarted": "ComfyUI was restarted, or was gone for a while, and no longer knows this job:"
    " it will not be finished. Files that it had saved by then are still in ComfyUI's folder.",
    "removed": "This job is no longer in ComfyUI's queue or history: most likely somebody removed"
    " it, so nobody can say how it ended.",
    "never_seen": "The answer to its submit was lost, and ComfyUI has never shown this job: most"
    " likely it never ran.",
    "lost": "ComfyUI has this job neither in its queue nor in its history: it was restarted, or"
    " somebody removed the job.",
}
"""What happened, for each cause."""


def lost_note(why: str) -> dict[str, Any]:
    """What the journal keeps of a job's loss."""
    return {"lost": why}


def why_lost(row: JobRow) -> JobFailure:
    """What a caller reads about a lost job; its type is one of `_WORDS`."""
    why = row.result.get("lost")
    kind = why if isinstance(why, str) and why in _WORDS else "lost"
    return JobFailure(type=kind, message=_WORDS[kind], hint=AGAIN)
