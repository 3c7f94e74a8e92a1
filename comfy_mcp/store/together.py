"""Letting calls in, one or several at once, inside one transaction: all of it or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_mcp.store import approvals, fitting, journal, ledger, standing, sweeps, texts, trail
from comfy_mcp.store.journal import Place
from comfy_mcp.store.protocol import (
    Admission,
    AdmittedTogether,
    Cooling,
    Frozen,
    Keep,
    NewSweep,
    Repeated,
    RepeatedSweep,
    SweepRow,
    TogetherRefused,
    Unapproved,
)
from comfy_mcp.store.waits import for_caller

if TYPE_CHECKING:
    import sqlite3

    from comfy_mcp.store.head import Head
    from comfy_mcp.store.protocol import ApprovalRow, JobRow, NewJob

__all__ = ["Packed", "Whole", "admit", "packed"]


@dataclass(frozen=True, slots=True)
class Packed:
    """An admission with what is written of it: *line* is canonical JSON, *origin* is packed."""

    admission: Admission
    line: str
    origin: bytes | None


@dataclass(frozen=True, slots=True)
class Whole:
    """Admissions in their order, and the sweep that their jobs become, with its data packed."""

    ones: tuple[Packed, ...]
    sweep: NewSweep | None
    data: bytes | None
    keep: Keep

    @property
    def first(self) -> Admission:
        """The first of them: it is the sweep's own, if there is a sweep."""
        return self.ones[0].admission


def packed(
    admissions: Sequence[Admission], lines: Sequence[str], sweep: NewSweep | None, keep: Keep
) -> Whole:
    """All that is to be written, ready for it; *lines* are the records as canonical JSON."""
    ones = tuple(
        Packed(one, line, None if one.job is None else texts.packed(one.job.origin))
        for one, line in zip(admissions, lines, strict=True)
    )
    return Whole(ones, sweep, None if sweep is None else texts.packed(sweep.data), keep)


def admit(
    connection: sqlite3.Connection, head: Head, whole: Whole
) -> tuple[Head, AdmittedTogether | RepeatedSweep | TogetherRefused]:
    """Take all that *whole* takes, in its order, or nothing."""
    now_ms = head.last_ms
    ahead_ms = now_ms - whole.first.now_ms
    stopped = _stopped(connection, whole, now_ms)
    if stopped is not None:
        return head, TogetherRefused(stopped[0], for_caller(stopped[1], ahead_ms))
    known = _known(connection, whole.sweep)
    if known is not None:
        return head, RepeatedSweep(known)
    yeses: list[ApprovalRow | None] = []
    for index, one in enumerate(whole.ones):
        earlier = _earlier(connection, one.admission.job)
        if earlier is not None:
            return head, TogetherRefused(index, Repeated(earlier))
        yes = _yes(connection, one.admission, whole.sweep, now_ms)
        if isinstance(yes, Unapproved):
            return head, TogetherRefused(index, yes)
        yeses.append(yes)
    refused = fitting.refusal(connection, [one.admission for one in whole.ones], now_ms)
    if refused is not None:
        return head, for_caller(refused, ahead_ms)
    return _take(connection, head, whole, yeses), AdmittedTogether(now_ms)


def _stopped(
    connection: sqlite3.Connection, whole: Whole, now_ms: int
) -> tuple[int, Frozen | Cooling] | None:
    """A freeze or a cool-down of one of those who call, and whose."""
    for index, one in enumerate(whole.ones):
        by = one.admission
        found = standing.standing(connection, by.grant, now_ms, reads=by.reads)
        if found is not None:
            return index, found
    return None


def _known(connection: sqlite3.Connection, sweep: NewSweep | None) -> SweepRow | None:
    """The sweep that was admitted before with the key of *sweep*."""
    if sweep is None or not sweep.key:
        return None
    return sweeps.keyed(connection, sweep.host, sweep.grant, sweep.key)


def _earlier(connection: sqlite3.Connection, job: NewJob | None) -> JobRow | None:
    """The job that was admitted before with the key of *job*."""
    if job is None or not job.key:
        return None
    return journal.keyed(connection, job.host, job.grant, job.key)


def _yes(
    connection: sqlite3.Connection, admission: Admission, sweep: NewSweep | None, now_ms: int
) -> ApprovalRow | Unapproved | None:
    """The yes that *admission* spends, if it spends one; `Unapproved` if it cannot."""
    wanted = admission.spend
    if wanted is None:
        return None
    row = approvals.find(connection, now_ms, wanted.approval_id, admission.grant)
    makes = admission.job or sweep
    if row is None or not approvals.is_usable(row, wanted, makes.host if makes else None):
        return Unapproved(row)
    return row


def _take(
    connection: sqlite3.Connection, head: Head, whole: Whole, yeses: Sequence[ApprovalRow | None]
) -> Head:
    """Write everything that *whole* takes and makes; *yeses* are spent."""
    now_ms, sweep, keep = head.last_ms, whole.sweep, whole.keep
    if sweep is not None:
        number = sweeps.add(connection, sweep, whole.first.decision_id, now_ms)
        texts.add(connection, sweeps.text_of(number), whole.data, keep)
    place = 0
    for one, yes in zip(whole.ones, yeses, strict=True):
        admission = one.admission
        head = ledger.take(connection, admission, head)
        if admission.job is not None:
            where = Place() if sweep is None else Place(sweep.sweep_id, place)
            place += 1
            row = journal.add(connection, admission.job, admission.decision_id, now_ms, where)
            texts.add(connection, row, one.origin, keep)
        head = trail.append(connection, head, one.line)
        if yes is not None:
            prompt_id = admission.job.prompt_id if admission.job else None
            approvals.spend(connection, yes, admission.decision_id, prompt_id, head.seq)
    return head
