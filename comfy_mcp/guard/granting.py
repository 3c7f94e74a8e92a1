"""What a call that was let through gets: what was taken for it, and its permits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from comfy_mcp.guard.call import Call, Granted
from comfy_mcp.permit import FreePermit, StopPermit, SubmitPermit, UploadPermit
from comfy_mcp.store.protocol import JobRow

__all__ = ["Taken", "granted", "leave_to_stop"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was reserved: *written* is False for a read whose decision could not be written down.

    *repeated* is the job of an earlier call with the same key: then nothing was reserved.
    """

    written: bool
    repeated: JobRow | None = None


def granted(call: Call, decision_id: str, taken: Taken, at_s: float) -> Granted:
    """The leave for *call*; one that repeats another gets no permit to submit.

    *at_s*: seconds of a clock that only rises.
    """
    return Granted(
        decision_id,
        call,
        submit=None if taken.repeated is not None else _submit(call, decision_id),
        stop=_stop(call, decision_id, at_s),
        upload=_upload(call, decision_id),
        free=FreePermit(decision_id=decision_id) if call.frees else None,
        repeated=taken.repeated,
        written=taken.written,
    )


def _submit(call: Call, decision_id: str) -> SubmitPermit | None:
    if call.job is None:
        return None
    return SubmitPermit(
        decision_id=decision_id,
        prompt_id=call.job.prompt_id,
        digest=call.job.digest,
        front=call.run is not None and call.run.front,
    )


def leave_to_stop(
    decision_id: str, prompt_ids: Iterable[str], *, at_s: float, for_ms: int
) -> StopPermit:
    """The permit to stop jobs *for_ms* long, from *at_s* of a clock that only rises."""
    deadline_ms = int(at_s * 1000) + for_ms
    return StopPermit(decision_id=decision_id, prompt_ids=prompt_ids, deadline_ms=deadline_ms)


def _stop(call: Call, decision_id: str, at_s: float) -> StopPermit | None:
    targets = call.targets if call.target is None else (call.target, *call.targets)
    if not targets or call.stop_ms is None:
        return None
    return leave_to_stop(decision_id, targets, at_s=at_s, for_ms=call.stop_ms)


def _upload(call: Call, decision_id: str) -> UploadPermit | None:
    if call.upload is None:
        return None
    return UploadPermit(decision_id=decision_id, name=call.upload.name, sha256=call.upload.sha256)
