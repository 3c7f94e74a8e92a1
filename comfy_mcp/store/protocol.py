"""What outlives a call, as operations: the promise every state backend keeps.

Every operation that writes is atomic and shared by all server processes that use the same state. A
backend never lets time run backwards: it uses ``max(last time seen, now_ms)``. The values are in
`comfy_mcp.store.values` and can be imported from here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from comfy_mcp.store.asked import (
    ApprovalRow,
    Crowded,
    Figure,
    NewApproval,
    Parked,
    Ruling,
    Spend,
    TooLarge,
    Unapproved,
)
from comfy_mcp.store.swept import (
    MOST_TEXT,
    AdmittedTogether,
    Keep,
    NewSweep,
    RepeatedSweep,
    SweepRow,
    TogetherRefused,
)
from comfy_mcp.store.swept_protocol import Together
from comfy_mcp.store.values import (
    EVERYBODY,
    FINAL,
    LONGEST_GPU_MS,
    REFUSALS,
    UNIT,
    Account,
    Admission,
    Admitted,
    AuditRow,
    Charge,
    Cooling,
    Freeze,
    Frozen,
    Full,
    Head,
    JobRow,
    MadeFile,
    NewJob,
    Refund,
    Repeated,
    SlotCap,
    Tally,
    Use,
)

__all__ = [
    "EVERYBODY",
    "FINAL",
    "LONGEST_GPU_MS",
    "MOST_TEXT",
    "REFUSALS",
    "UNIT",
    "Account",
    "Admission",
    "Admitted",
    "AdmittedTogether",
    "ApprovalRow",
    "AuditRow",
    "Charge",
    "Cooling",
    "Crowded",
    "Figure",
    "Freeze",
    "Frozen",
    "Full",
    "Head",
    "JobRow",
    "Keep",
    "MadeFile",
    "NewApproval",
    "NewJob",
    "NewSweep",
    "Parked",
    "Refund",
    "Repeated",
    "RepeatedSweep",
    "Ruling",
    "SlotCap",
    "Spend",
    "Store",
    "SweepRow",
    "Tally",
    "TogetherRefused",
    "TooLarge",
    "Unapproved",
    "Use",
]


class Store(Together, Protocol):
    """State shared by all server processes of one machine (or fleet)."""

    async def admit(
        self, admission: Admission
    ) -> Admitted | Repeated | Full | Frozen | Cooling | Unapproved:
        """Take every charge and slot, write the job and the decision's audit row; or do nothing.

        A freeze is looked at first, then a cool-down, the job's key, the approval to be spent,
        charges, and slots last; of these what never fits comes first. An approval is spent in the
        same step, once, and only if it is approved, not expired, this grant's, of the job's host,
        and for the effect and the policy it is spent with; it gives its payload up.
        Charges of one admission on one account add up. Each counts from this moment on for as long
        as its window is: GPU time of a job that runs for longer has left it before the job ends.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def refuse(
        self, now_ms: int, record: Mapping[str, Any], tallies: tuple[Tally, ...] = ()
    ) -> None:
        """Append the audit row of a refusal, and count it.

        The one that reaches a tally's *most* starts its cool-down; what led to one counts no more.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def standing(self, grant: str, now_ms: int, *, reads: bool) -> Frozen | Cooling | None:
        """What refuses every call of *grant* at the moment."""
        ...

    async def peek(
        self, now_ms: int, charges: tuple[Charge, ...], slots: tuple[SlotCap, ...] = ()
    ) -> tuple[Use, ...]:
        """How full the accounts and caps are, in the order given; takes nothing.

        Each charge by itself: several on one account do not add up here.
        """
        ...

    async def record(self, now_ms: int, *records: Mapping[str, Any]) -> None:
        """Append audit rows, in one step and in this order.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def job(self, prompt_id: str) -> JobRow | None:
        """The journal's row of a job; None for a job that was not submitted through this state."""
        ...

    async def keyed(self, host: str, grant: str, key: str) -> JobRow | None:
        """The job that *grant* submitted to *host* with this idempotency key.

        One that ComfyUI never took (``refused``) has given its key back.
        """
        ...

    async def jobs(
        self,
        host: str,
        *,
        grant: str | None = None,
        statuses: frozenset[str] = FINAL,
        before: int | None = None,
        count: int,
    ) -> tuple[JobRow, ...]:
        """At most *count* jobs with one of *statuses*, newest first, *before* the row's number."""
        ...

    async def owned(self, grant: str, prompt_ids: Collection[str]) -> frozenset[str]:
        """Those of *prompt_ids* that are jobs which *grant* submitted through this state."""
        ...

    async def move_job(
        self,
        prompt_id: str,
        status: str,
        now_ms: int,
        *,
        result: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
        gpu_ms: int | None = None,
        files: tuple[MadeFile, ...] = (),
    ) -> bool:
        """Write a job's new status; a final one frees its slot, once, and appends *record*.

        A final status never changes again: then nothing is written and False is returned, as for
        an unknown job. *result* None keeps the one there is. The first move to ``in_progress``
        sets `JobRow.running_ms`. With a final status, in the same step: charges of the job's
        decision are refunded as their `Refund` says; those that are settled become *gpu_ms*, at
        least 0 and at most `LONGEST_GPU_MS` (None: they stay as reserved, unless the status is
        ``refused``), counted from when they were reserved; *files* become files that this job's
        grant made on this host. Charges that were forgotten already stay so.
        """
        ...

    async def note_progress(self, prompt_id: str, now_ms: int, progress: Mapping[str, Any]) -> None:
        """Write how far a job without a final status is, for other processes to see.

        Nothing else is written, and nothing at all of a job that is unknown or has ended.
        """
        ...

    async def unfinished(self, *, host: str, grant: str | None = None) -> tuple[JobRow, ...]:
        """Jobs without a final status, oldest first."""
        ...

    async def estimate(self, host: str, shape: str) -> int | None:
        """How many milliseconds a job of *shape* takes on *host*, at most, 19 times of 20.

        The 95th percentile (nearest rank) of the last 20 completed ones with a known time; None if
        there is none.
        """
        ...

    async def makers(self, host: str, files: tuple[MadeFile, ...]) -> Mapping[MadeFile, str | None]:
        """Whose job on *host* put out each of *files*: the grant of the last one, None of nobody.

        The last that was submitted, because a name may be used again once ComfyUI's folders were
        emptied. Names that are no Unicode text are nobody's.
        """
        ...

    async def freeze(self, now_ms: int, freeze: Freeze, record: Mapping[str, Any]) -> None:
        """Freeze a grant or everybody, in place of an older freeze of the same; with an audit row.

        The time of *freeze* is not read: it is *now_ms*.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def unfreeze(self, now_ms: int, grant: str, record: Mapping[str, Any]) -> bool:
        """Take the freeze of exactly this grant (or ``*``) back, with an audit row.

        False if there was none: then nothing is written.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def freezes(self) -> tuple[Freeze, ...]:
        """All freezes in force, by grant."""
        ...

    async def accounts(self) -> tuple[Account, ...]:
        """Every account that holds something, by counter and holder; refusals counted, too."""
        ...

    async def reset(
        self,
        now_ms: int,
        record: Mapping[str, Any],
        *,
        counter: str | None = None,
        holder: str | None = None,
    ) -> int:
        """Forget the charges of these accounts (None: any); how many rows; with an audit row.

        Without *counter*, cool-downs of *holder* (None: everybody) end, too. GPU time of jobs that
        have not ended is kept: it is still being used. The audit row is written in any case.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def park(
        self, now_ms: int, new: NewApproval, record: Mapping[str, Any], *, most: int
    ) -> Parked | Crowded | TooLarge:
        """Write a request to a person down, with an audit row, unless it stands already.

        It stands if one of the same grant, host, kind and match is pending, approved or denied and
        not expired; then nothing is written. One that is pending or approved under another policy
        revision is cancelled instead, with an audit row of its own, and the new one takes its
        place. *most* requests of a grant may be pending at a time, and `HOURLY` new ones be made in
        an hour, on all hosts together; if there is no room, nothing gives way. Requests that ended
        long ago are forgotten, and the payloads of those that are over.

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def rule(
        self,
        now_ms: int,
        approval_id: str,
        ruling: Ruling,
        record: Mapping[str, Any],
        *,
        grant: str | None = None,
    ) -> tuple[bool, ApprovalRow | None]:
        """Decide a request, with an audit row, if it may still move there; and how it stands now.

        Expiry is checked here: from that very millisecond on nothing moves. A no becomes a yes only
        by somebody with the assurance of an operator, and until it is forgotten. What is cancelled
        gives its payload up. With *grant*, only a request of this grant; another's is as unknown as
        one that is not there (None).

        Raises:
            StateError: the state cannot be written.
        """
        ...

    async def approval(
        self, approval_id: str, now_ms: int, *, grant: str | None = None
    ) -> ApprovalRow | None:
        """One request; with *grant*, only one of this grant."""
        ...

    async def approval_status(
        self, approval_id: str, now_ms: int, *, grant: str | None = None
    ) -> str | None:
        """As `approval`, its status only: for those who ask again and again."""
        ...

    async def standing_approval(
        self, now_ms: int, grant: str, host: str, kind: str, match: str
    ) -> ApprovalRow | None:
        """The request that stands for what is asked (see `park`), under whatever policy."""
        ...

    async def approvals(
        self,
        now_ms: int,
        *,
        grant: str | None = None,
        statuses: frozenset[str] | None = None,
        before: int | None = None,
        count: int,
        payloads: bool = True,
    ) -> tuple[ApprovalRow, ...]:
        """At most *count* requests, newest first, *before* the row's number.

        Without *payloads* each comes with none ({}), and none is read. One that cannot be read is
        told as `ApprovalRow` says, and keeps no other from being listed.
        """
        ...

    async def approvals_mark(self, now_ms: int) -> tuple[int, int]:
        """What is another pair whenever a request was made, moved or expired.

        For those who watch: while it stays the same, nothing has to be read again.
        """
        ...

    async def approval_figures(self, now_ms: int, *, since_ms: int = 0) -> tuple[Figure, ...]:
        """How requests made from *since_ms* on went, by grant and tool."""
        ...

    async def tail(self, count: int) -> tuple[AuditRow, ...]:
        """The last *count* audit rows, oldest first."""
        ...

    async def rows(self, after: int, count: int) -> tuple[AuditRow, ...]:
        """At most *count* audit rows with a higher number than *after*, in order."""
        ...

    async def head(self) -> Head:
        """Where the audit log and the clock stand."""
        ...

    async def verify(self, head: tuple[int, str] | None = None) -> tuple[int, str | None]:
        """Walk the audit chain: number of rows, and what is wrong at which row (None: nothing).

        *head* is the number and hash of a row written down elsewhere: it has to be there still.
        Only that finds a log that was made anew as a whole, or whose end was dropped together with
        the store's own note of it.
        """
        ...

    async def close(self) -> None:
        """Give back what is open; the store cannot be used afterwards."""
        ...
