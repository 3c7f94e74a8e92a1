"""What outlives a call, as operations: the promise every state backend keeps.

Times are whole milliseconds since the Unix epoch; amounts are whole millionths (one call is
1_000_000), so that no rounding can let a call through. Every operation that writes is atomic and
shared by all server processes that use the same state. A backend never lets time run backwards: it
uses ``max(last time seen, now_ms)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = [
    "FINAL",
    "UNIT",
    "Admission",
    "Admitted",
    "AuditRow",
    "Charge",
    "Full",
    "JobRow",
    "NewJob",
    "SlotCap",
    "Store",
]

UNIT = 1_000_000
"""Millionths in one."""

FINAL = frozenset({"completed", "failed", "cancelled", "lost", "refused"})
"""Statuses that never change again; ``refused`` means that ComfyUI never took the job."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One limit and what a call takes from it.

    *counter* and *holder* name the account (holder is a grant, or ``*`` for everybody);
    *amount* and *most* are millionths; *rule* is the JSON Pointer of the limit; *calendar* means
    fixed windows aligned to UTC instead of a rolling one.
    """

    counter: str
    holder: str
    amount: int
    most: int
    window_ms: int
    rule: str
    calendar: bool = False


@dataclass(frozen=True, slots=True)
class SlotCap:
    """At most *most* unfinished jobs of *grant* on *host*; *rule* is the cap's JSON Pointer."""

    grant: str
    host: str
    most: int
    rule: str


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job about to be submitted; it holds an in-flight slot until a final status is written."""

    prompt_id: str
    grant: str
    host: str
    workflow: str
    digest: str


@dataclass(frozen=True, slots=True)
class Admission:
    """All that one admitted call takes, and the audit record of the decision: all or nothing."""

    decision_id: str
    now_ms: int
    record: Mapping[str, Any]
    charges: tuple[Charge, ...] = ()
    slots: tuple[SlotCap, ...] = ()
    job: NewJob | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Everything was taken and written; *at_ms* is the time it counts from."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Full:
    """Nothing was taken nor written, because of one charge or slot cap.

    *used* is in millionths for a charge, a number of jobs for a cap. *retry_after_ms* is the exact
    wait after which the same call fits if nobody else takes anything, ``None`` if waiting cannot
    help (the amount alone is above the maximum) or cannot be known (a slot).
    """

    cause: Charge | SlotCap
    used: int
    retry_after_ms: int | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of the journal. *status* is ``submitting`` until ComfyUI is known to have it.

    *result* holds what was learnt at its end (outputs, error, timings) as JSON values.
    """

    prompt_id: str
    grant: str
    host: str
    workflow: str
    digest: str
    decision_id: str
    status: str
    created_ms: int
    changed_ms: int
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the audit log: *hash* covers *previous* and the canonical JSON of *record*."""

    seq: int
    at_ms: int
    previous: str
    hash: str
    record: Mapping[str, Any]


class Store(Protocol):
    """State shared by all server processes of one machine (or fleet)."""

    async def admit(self, admission: Admission) -> Admitted | Full:
        """Take every charge and slot, write the job and the decision's audit row; or do nothing.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def record(self, now_ms: int, record: Mapping[str, Any]) -> None:
        """Append one audit row.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def job(self, prompt_id: str) -> JobRow | None:
        """The journal's row of a job; None for a job that was not submitted through this state."""
        ...

    async def move_job(
        self,
        prompt_id: str,
        status: str,
        now_ms: int,
        *,
        result: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write a job's new status; a final one frees its slot, once, and appends *record*.

        A final status never changes again: then nothing is written and False is returned, as for
        an unknown job. *result* None keeps the one there is.
        """
        ...

    async def unfinished(self, *, host: str, grant: str | None = None) -> tuple[JobRow, ...]:
        """Jobs without a final status, oldest first."""
        ...

    async def tail(self, count: int) -> tuple[AuditRow, ...]:
        """The last *count* audit rows, oldest first."""
        ...

    async def verify(self) -> tuple[int, str | None]:
        """Walk the audit chain: number of rows, and what is wrong at which row (None: nothing)."""
        ...

    async def close(self) -> None:
        """Give back what is open; the store cannot be used afterwards."""
        ...
