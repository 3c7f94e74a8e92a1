"""What changes the state: each function is all of one transaction, between head and head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from comfy_mcp.store import accounts, approvals, journal, ledger, made, standing, trail
from comfy_mcp.store.protocol import (
    FINAL,
    LONGEST_GPU_MS,
    Admitted,
    Cooling,
    Crowded,
    Frozen,
    Full,
    MadeFile,
    Repeated,
    Unapproved,
    Use,
)

if TYPE_CHECKING:
    import sqlite3

    from comfy_mcp.store.head import Head
    from comfy_mcp.store.protocol import Admission, ApprovalRow, Freeze, JobRow, NewJob, Tally

__all__ = ["Move", "admit", "for_caller", "freeze", "move", "note", "refuse", "reset", "unfreeze"]

_Answer = TypeVar("_Answer", bound=Full | Frozen | Cooling | Crowded | Use | None)


@dataclass(frozen=True, slots=True)
class Move:
    """A job's new status with what belongs to it; *result* and *line* are canonical JSON."""

    prompt_id: str
    status: str
    result: str | None
    line: str | None
    gpu_ms: int | None
    files: tuple[MadeFile, ...]


def admit(
    connection: sqlite3.Connection, head: Head, admission: Admission, line: str
) -> tuple[Head, Admitted | Repeated | Full | Frozen | Cooling | Unapproved]:
    """Take all that *admission* takes, or nothing."""
    now_ms = head.last_ms
    ahead_ms = now_ms - admission.now_ms
    stopped = standing.standing(connection, admission.grant, now_ms, reads=admission.reads)
    if stopped is not None:
        return head, for_caller(stopped, ahead_ms)
    earlier = _earlier(connection, admission.job)
    if earlier is not None:
        return head, Repeated(earlier)
    yes = _yes(connection, admission, now_ms)
    if isinstance(yes, Unapproved):
        return head, yes
    full = ledger.refusal(connection, admission, now_ms)
    if full is not None:
        return head, for_caller(full, ahead_ms)
    head = ledger.take(connection, admission, head)
    if admission.job is not None:
        journal.add(connection, admission.job, admission.decision_id, now_ms)
    head = trail.append(connection, head, line)
    if yes is not None:
        prompt_id = admission.job.prompt_id if admission.job else None
        approvals.spend(connection, yes, admission.decision_id, prompt_id, head.seq)
    return head, Admitted(at_ms=now_ms)


def _earlier(connection: sqlite3.Connection, job: NewJob | None) -> JobRow | None:
    """The job that was admitted before with the key of *job*."""
    if job is None or not job.key:
        return None
    return journal.keyed(connection, job.host, job.grant, job.key)


def _yes(
    connection: sqlite3.Connection, admission: Admission, now_ms: int
) -> ApprovalRow | Unapproved | None:
    """The yes that *admission* spends, if it spends one; `Unapproved` if it cannot."""
    wanted = admission.spend
    if wanted is None:
        return None
    row = approvals.find(connection, now_ms, wanted.approval_id, admission.grant)
    host = admission.job.host if admission.job else None
    if row is None or not approvals.is_usable(row, wanted, host):
        return Unapproved(row)
    return row


def refuse(
    connection: sqlite3.Connection, head: Head, line: str, tallies: tuple[Tally, ...] = ()
) -> tuple[Head, None]:
    """Write *line* down, and count it for each of *tallies*."""
    if tallies:
        head = head.keeping(tally.window_ms for tally in tallies)
        counted = standing.count(connection, tallies, head.last_ms)
        ledger.prune(connection, head, counted)
    return trail.append(connection, head, line), None


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


def for_caller(answer: _Answer, ahead_ms: int) -> _Answer:
    """*answer* with a wait that is exact for the caller, whose clock may be behind *ahead_ms*."""
    if isinstance(answer, Full | Cooling | Crowded | Use) and answer.retry_after_ms:
        return replace(answer, retry_after_ms=answer.retry_after_ms + ahead_ms)
    return answer


def _within_reason(gpu_ms: int | None) -> int | None:
    return None if gpu_ms is None else min(max(0, gpu_ms), LONGEST_GPU_MS)
