"""The state in one SQLite file, shared by all server processes of a machine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from comfy_mcp.store import chain, journal, ledger, trail
from comfy_mcp.store.database import Database
from comfy_mcp.store.protocol import Admitted, Full, Store
from comfy_mcp.store.worker import Worker

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

    from comfy_mcp.store.database import Read, Write
    from comfy_mcp.store.head import Head
    from comfy_mcp.store.protocol import Admission, AuditRow, JobRow

__all__ = ["SqliteStore"]

_T = TypeVar("_T")


class SqliteStore(Store):
    """`Store` on the file ``guard.db`` in *folder*; nothing is opened before the first operation.

    An operation waits at most *patience_ms* for its turn and as long for other processes. Every
    operation raises `StateError` if the state cannot be used, and after `close`.
    """

    def __init__(self, folder: Path, *, patience_ms: int = 5_000) -> None:
        patience_s = patience_ms / 1000
        self._database = Database(folder, patience_s)
        self._worker = Worker(patience_s)

    async def admit(self, admission: Admission) -> Admitted | Full:
        """Take every charge and slot, write the job and the decision's audit row; or do nothing."""
        line = chain.canonical(admission.record)

        def work(connection: sqlite3.Connection, head: Head) -> tuple[Head, Admitted | Full]:
            return _admit(connection, head, admission, line)

        return await self._write(admission.now_ms, work)

    async def record(self, now_ms: int, record: Mapping[str, Any]) -> None:
        """Append one audit row."""
        line = chain.canonical(record)

        def work(connection: sqlite3.Connection, head: Head) -> tuple[Head, None]:
            return trail.append(connection, head, line), None

        await self._write(now_ms, work)

    async def job(self, prompt_id: str) -> JobRow | None:
        """The journal's row of a job; None for a job that was not submitted through this state."""
        return await self._read(partial(journal.find, prompt_id=prompt_id))

    async def move_job(
        self,
        prompt_id: str,
        status: str,
        now_ms: int,
        *,
        result: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write a job's new status, and *record* with it; False if it is unknown or final."""
        values = None if result is None else chain.canonical(result)
        line = None if record is None else chain.canonical(record)

        def work(connection: sqlite3.Connection, head: Head) -> tuple[Head, bool]:
            moved = journal.move(connection, prompt_id, status, head.last_ms, values)
            if moved and line is not None:
                head = trail.append(connection, head, line)
            return head, moved

        return await self._write(now_ms, work)

    async def unfinished(self, *, host: str, grant: str | None = None) -> tuple[JobRow, ...]:
        """Jobs without a final status, oldest first."""
        return await self._read(partial(journal.unfinished, host=host, grant=grant))

    async def tail(self, count: int) -> tuple[AuditRow, ...]:
        """The last *count* audit rows, oldest first."""
        return await self._read(partial(trail.tail, count=count))

    async def verify(self) -> tuple[int, str | None]:
        """Walk the audit chain: number of rows that are whole, and what is wrong with the next.

        Other operations get their turn between two stretches of the walk.
        """
        walk = chain.Walk()
        while not walk.done:
            walk = await self._read(partial(trail.walk, at=walk))
        return walk.rows, walk.fault

    async def close(self) -> None:
        """Give back file and thread; may be called again."""
        await self._worker.close(self._database.close)

    async def _read(self, work: Read[_T]) -> _T:
        return await self._worker.run(partial(self._database.read, work))

    async def _write(self, now_ms: int, work: Write[_T]) -> _T:
        return await self._worker.run(partial(self._database.write, now_ms, work))


def _admit(
    connection: sqlite3.Connection, head: Head, admission: Admission, line: str
) -> tuple[Head, Admitted | Full]:
    now_ms = head.last_ms
    full = ledger.refusal(connection, admission, now_ms)
    if full is not None:
        return head, _on_clock_of(admission, full, now_ms)
    if admission.charges:
        longest_ms = max(charge.window_ms for charge in admission.charges)
        head = replace(head, longest_ms=max(head.longest_ms, longest_ms))
        ledger.take(connection, admission, now_ms, head.longest_ms)
    if admission.job is not None:
        journal.add(connection, admission.job, admission.decision_id, now_ms)
    return trail.append(connection, head, line), Admitted(at_ms=now_ms)


def _on_clock_of(admission: Admission, full: Full, now_ms: int) -> Full:
    """*full* with a wait that is exact for the caller, whose clock may be behind the last time."""
    if full.retry_after_ms is None:
        return full
    return replace(full, retry_after_ms=full.retry_after_ms + now_ms - admission.now_ms)
