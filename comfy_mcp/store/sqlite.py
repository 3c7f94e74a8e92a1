"""The state in one SQLite file, shared by all server processes of a machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from comfy_mcp.store import (
    accounts,
    approvals,
    chain,
    head,
    journal,
    made,
    overview,
    parking,
    standing,
    sweeps,
    texts,
    together,
    totals,
    trail,
    writing,
)
from comfy_mcp.store.asked import MOST_PAYLOAD, TooLarge
from comfy_mcp.store.database import Database
from comfy_mcp.store.fitting import refusal
from comfy_mcp.store.ledger import peek
from comfy_mcp.store.protocol import (
    FINAL,
    Admitted,
    AdmittedTogether,
    Head,
    Keep,
    Store,
    TogetherRefused,
    Use,
)
from comfy_mcp.store.waits import for_caller
from comfy_mcp.store.worker import Worker

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from comfy_mcp.store.database import Read, Write
    from comfy_mcp.store.protocol import (
        Account,
        Admission,
        ApprovalRow,
        AuditRow,
        Charge,
        Cooling,
        Crowded,
        Figure,
        Freeze,
        Frozen,
        Full,
        JobRow,
        MadeFile,
        NewApproval,
        NewSweep,
        Parked,
        Repeated,
        RepeatedSweep,
        Ruling,
        SlotCap,
        SweepRow,
        Tally,
        Unapproved,
    )

__all__ = ["SqliteStore"]

_T = TypeVar("_T")


class SqliteStore(Store):
    """`Store` on the file ``guard.db`` in *folder*; nothing is opened before the first operation.

    An operation waits at most *patience_ms* for its turn and as long for other processes. Every
    operation raises `StateError` if the state cannot be used, and after `close`. *keep* bounds
    what it keeps of long texts; the newest one stays in any case.
    """

    def __init__(self, folder: Path, *, patience_ms: int = 5_000, keep: Keep | None = None) -> None:
        patience_s = patience_ms / 1000
        self._keep = keep or Keep()
        self._database = Database(folder, patience_s)
        self._worker = Worker(patience_s)

    async def admit(
        self, admission: Admission
    ) -> Admitted | Repeated | Full | Frozen | Cooling | Unapproved:
        """Take every charge and slot, write the job and the decision's audit row; or do nothing."""
        answer = await self.admit_together((admission,))
        if isinstance(answer, AdmittedTogether):
            return Admitted(answer.at_ms)
        if isinstance(answer, TogetherRefused):
            return answer.answer
        raise AssertionError("a call without a sweep repeats none")

    async def admit_together(
        self, admissions: tuple[Admission, ...], sweep: NewSweep | None = None
    ) -> AdmittedTogether | RepeatedSweep | TogetherRefused:
        """Take and write all of *admissions* in their order, each as `admit` would; or nothing."""
        lines = [chain.canonical(one.record) for one in admissions]
        durable = any(one.spend is not None for one in admissions)

        def work() -> AdmittedTogether | RepeatedSweep | TogetherRefused:
            # Packed before the state is locked: it takes longer than all the rest.
            whole = together.packed(admissions, lines, sweep, self._keep)
            step = partial(together.admit, whole=whole)
            return self._database.write(admissions[0].now_ms, step, durable=durable)

        return await self._worker.run(work)

    async def would_fit(self, admissions: tuple[Admission, ...]) -> TogetherRefused | None:
        """How many of *admissions* fit together, and what leaves no room; None if all do."""
        now_ms = admissions[0].now_ms

        def work(connection: sqlite3.Connection) -> TogetherRefused | None:
            last_ms = head.read(connection).seen(now_ms).last_ms
            found = refusal(connection, admissions, last_ms, used=totals.used)
            return for_caller(found, last_ms - now_ms)

        return await self._read(work)

    async def sweep(self, sweep_id: str, *, grant: str | None = None) -> SweepRow | None:
        """One sweep; with *grant*, only one of this grant."""
        return await self._read(partial(sweeps.find, sweep_id=sweep_id, grant=grant))

    async def sweep_jobs(self, sweep_id: str) -> tuple[JobRow, ...]:
        """The jobs of a sweep, in the order in which they were asked for."""
        return await self._read(partial(journal.of_sweep, sweep_id=sweep_id))

    async def sweeps(
        self, host: str, grant: str, *, before: int | None = None, count: int
    ) -> tuple[SweepRow, ...]:
        """At most *count* sweeps of *grant* on *host*, newest first, *before* the row's number."""
        work = partial(sweeps.listed, host=host, grant=grant, before=before, count=count)
        return await self._read(work)

    async def keyed_sweep(self, host: str, grant: str, key: str) -> SweepRow | None:
        """The sweep that *grant* made on *host* with this idempotency key."""
        return await self._read(partial(sweeps.keyed, host=host, grant=grant, key=key))

    async def origin(self, prompt_id: str) -> str | None:
        """The origin that a job was submitted with; None if it had none, or it was forgotten."""
        return await self._read(partial(texts.origin, prompt_id=prompt_id))

    async def refuse(
        self, now_ms: int, record: Mapping[str, Any], tallies: tuple[Tally, ...] = ()
    ) -> None:
        """Append the audit row of a refusal, and count it."""
        line = chain.canonical(record)
        await self._write(now_ms, partial(writing.refuse, line=line, tallies=tallies))

    async def standing(self, grant: str, now_ms: int, *, reads: bool) -> Frozen | Cooling | None:
        """What refuses every call of *grant* at the moment."""

        def work(connection: sqlite3.Connection) -> Frozen | Cooling | None:
            last_ms = head.read(connection).seen(now_ms).last_ms
            found = standing.standing(connection, grant, last_ms, reads=reads)
            return for_caller(found, last_ms - now_ms)

        return await self._read(work)

    async def peek(
        self, now_ms: int, charges: tuple[Charge, ...], slots: tuple[SlotCap, ...] = ()
    ) -> tuple[Use, ...]:
        """How full the accounts and caps are, in the order given; takes nothing."""

        def work(connection: sqlite3.Connection) -> tuple[Use, ...]:
            last_ms = head.read(connection).seen(now_ms).last_ms
            causes: tuple[Charge | SlotCap, ...] = (*charges, *slots)
            uses = (peek(connection, cause, last_ms) for cause in causes)
            return tuple(for_caller(use, last_ms - now_ms) for use in uses)

        return await self._read(work)

    async def record(self, now_ms: int, *records: Mapping[str, Any]) -> None:
        """Append audit rows, in one step."""
        lines = [chain.canonical(record) for record in records]
        await self._write(now_ms, partial(writing.record, lines=lines))

    async def job(self, prompt_id: str) -> JobRow | None:
        """The journal's row of a job; None for a job that was not submitted through this state."""
        return await self._read(partial(journal.find, prompt_id=prompt_id))

    async def keyed(self, host: str, grant: str, key: str) -> JobRow | None:
        """The job that *grant* submitted to *host* with this idempotency key."""
        return await self._read(partial(journal.keyed, host=host, grant=grant, key=key))

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
        work = partial(
            journal.listed, host=host, grant=grant, statuses=statuses, before=before, count=count
        )
        return await self._read(work)

    async def owned(self, grant: str, prompt_ids: Collection[str]) -> frozenset[str]:
        """Those of *prompt_ids* that are jobs which *grant* submitted through this state."""
        return await self._read(partial(journal.owned, grant=grant, prompt_ids=prompt_ids))

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
        """Write a job's new status, and settle a final one; False if it is unknown or final."""
        move = writing.Move(
            prompt_id,
            status,
            None if result is None else chain.canonical(result),
            None if record is None else chain.canonical(record),
            gpu_ms,
            files,
        )
        return await self._write(now_ms, partial(writing.move, to=move))

    async def note_progress(self, prompt_id: str, now_ms: int, progress: Mapping[str, Any]) -> None:
        """Write how far a job without a final status is, for other processes to see."""
        work = partial(writing.note, prompt_id=prompt_id, progress=chain.canonical(progress))
        await self._write(now_ms, work)

    async def unfinished(self, *, host: str, grant: str | None = None) -> tuple[JobRow, ...]:
        """Jobs without a final status, oldest first."""
        return await self._read(partial(journal.unfinished, host=host, grant=grant))

    async def estimate(self, host: str, shape: str) -> int | None:
        """How many milliseconds a job of *shape* takes on *host*, at most, 19 times of 20."""
        return await self._read(partial(journal.estimate, host=host, shape=shape))

    async def makers(self, host: str, files: tuple[MadeFile, ...]) -> Mapping[MadeFile, str | None]:
        """Whose job on *host* put out each of *files*."""
        return await self._read(partial(made.makers, host=host, files=files))

    async def freeze(self, now_ms: int, freeze: Freeze, record: Mapping[str, Any]) -> None:
        """Freeze a grant or everybody, in place of an older freeze of the same."""
        line = chain.canonical(record)
        await self._write(now_ms, partial(writing.freeze, order=freeze, line=line))

    async def unfreeze(self, now_ms: int, grant: str, record: Mapping[str, Any]) -> bool:
        """Take the freeze of exactly this grant (or ``*``) back; False if there was none."""
        line = chain.canonical(record)
        return await self._write(now_ms, partial(writing.unfreeze, grant=grant, line=line))

    async def freezes(self) -> tuple[Freeze, ...]:
        """All freezes in force, by grant."""
        return await self._read(standing.freezes)

    async def accounts(self) -> tuple[Account, ...]:
        """Every account that holds something, by counter and holder."""
        return await self._read(accounts.accounts)

    async def reset(
        self,
        now_ms: int,
        record: Mapping[str, Any],
        *,
        counter: str | None = None,
        holder: str | None = None,
    ) -> int:
        """Forget the charges of these accounts (None: any); how many rows."""
        line = chain.canonical(record)
        work = partial(writing.reset, counter=counter, holder=holder, line=line)
        return await self._write(now_ms, work)

    async def park(
        self, now_ms: int, new: NewApproval, record: Mapping[str, Any], *, most: int
    ) -> Parked | Crowded | TooLarge:
        """Write a request to a person down, unless it stands already."""
        facts, payload = chain.canonical(new.facts), chain.canonical(new.payload)
        request = parking.Request(new, facts, payload, chain.canonical(record), now_ms)
        if len(payload) > MOST_PAYLOAD:
            return TooLarge(len(payload))
        work = partial(parking.park, request=request, most=most)
        return await self._write(now_ms, work, durable=True)

    async def rule(
        self,
        now_ms: int,
        approval_id: str,
        ruling: Ruling,
        record: Mapping[str, Any],
        *,
        grant: str | None = None,
    ) -> tuple[bool, ApprovalRow | None]:
        """Decide a request if it may still move there; and how it stands now."""
        line = chain.canonical(record)
        work = partial(parking.rule, approval_id=approval_id, ruling=ruling, line=line, grant=grant)
        return await self._write(now_ms, work, durable=True)

    async def approval(
        self, approval_id: str, now_ms: int, *, grant: str | None = None
    ) -> ApprovalRow | None:
        """One request; with *grant*, only one of this grant."""
        return await self._at(now_ms, partial(approvals.find, approval_id=approval_id, grant=grant))

    async def approval_status(
        self, approval_id: str, now_ms: int, *, grant: str | None = None
    ) -> str | None:
        """As `approval`, its status only."""
        work = partial(approvals.status, approval_id=approval_id, grant=grant)
        return await self._at(now_ms, work)

    async def standing_approval(
        self, now_ms: int, grant: str, host: str, kind: str, match: str
    ) -> ApprovalRow | None:
        """The request that stands for what is asked, under whatever policy."""
        work = partial(approvals.standing, grant=grant, host=host, kind=kind, match=match)
        return await self._at(now_ms, work)

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
        """At most *count* requests, newest first, *before* the row's number."""
        work = partial(
            overview.listed,
            grant=grant,
            statuses=statuses,
            before=before,
            count=count,
            payloads=payloads,
        )
        return await self._at(now_ms, work)

    async def approvals_mark(self, now_ms: int) -> tuple[int, int]:
        """What is another pair whenever a request was made, moved or expired."""
        return await self._at(now_ms, overview.mark)

    async def approval_figures(self, now_ms: int, *, since_ms: int = 0) -> tuple[Figure, ...]:
        """How requests made from *since_ms* on went, by grant and tool."""
        return await self._at(now_ms, partial(overview.figures, since_ms=since_ms))

    async def tail(self, count: int) -> tuple[AuditRow, ...]:
        """The last *count* audit rows, oldest first."""
        return await self._read(partial(trail.tail, count=count))

    async def rows(self, after: int, count: int) -> tuple[AuditRow, ...]:
        """At most *count* audit rows with a higher number than *after*, in order."""
        return await self._read(partial(trail.rows, after=after, count=count))

    async def head(self) -> Head:
        """Where the audit log and the clock stand."""
        end = await self._read(head.read)
        return Head(end.seq, end.hash, end.last_ms)

    async def verify(self, head: tuple[int, str] | None = None) -> tuple[int, str | None]:
        """Walk the audit chain: number of rows that are whole, and what is wrong with the next.

        Other operations get their turn between two stretches of the walk.
        """
        walk = chain.Walk()
        while not walk.done:
            walk = await self._read(partial(trail.walk, at=walk, kept=head))
        return walk.rows, walk.fault

    async def close(self) -> None:
        """Give back file and thread; may be called again."""
        await self._worker.close(self._database.close)

    async def _read(self, work: Read[_T]) -> _T:
        return await self._worker.run(partial(self._database.read, work))

    async def _at(self, now_ms: int, work: Callable[[sqlite3.Connection, int], _T]) -> _T:
        """*work* on one snapshot, with the time it is to be read at."""

        def at(connection: sqlite3.Connection) -> _T:
            return work(connection, head.read(connection).seen(now_ms).last_ms)

        return await self._read(at)

    async def _write(self, now_ms: int, work: Write[_T], *, durable: bool = False) -> _T:
        step = partial(self._database.write, now_ms, work, durable=durable)
        return await self._worker.run(step)
