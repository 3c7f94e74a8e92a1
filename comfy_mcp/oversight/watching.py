"""What became of requests since somebody last looked."""

from __future__ import annotations

from dataclasses import dataclass

from comfy_mcp.errors import StateError
from comfy_mcp.store.asked import APPROVED, MOVES, PENDING, SPENT, ApprovalRow
from comfy_mcp.store.protocol import Store

__all__ = ["MOST", "News", "Seen", "Watcher"]

MOST = 200
"""Requests that are followed at a time."""


@dataclass(frozen=True, slots=True)
class News:
    """*row* is new (*what* is ``asked``, or ``waits`` at the first look), or came to *what*."""

    what: str
    row: ApprovalRow


@dataclass(frozen=True, slots=True)
class Seen:
    """Requests that wait, newest first, and what happened since the last look, oldest first."""

    pending: tuple[ApprovalRow, ...]
    news: tuple[News, ...] = ()


class Watcher:
    """Looks at the requests of one state, cheaply as long as nothing happens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mark: tuple[int, int] | None = None
        self._followed: dict[str, str] = {}
        self._last = 0
        self._pending: tuple[ApprovalRow, ...] = ()

    async def look(self, now_ms: int) -> Seen:
        """What waits at *now_ms*, and the news.

        Raises:
            StateError: the state cannot be read.
        """
        mark = await self._store.approvals_mark(now_ms)
        if mark == self._mark:
            return Seen(self._pending)
        rows = await self._store.approvals(now_ms, count=MOST, payloads=False)
        self._pending = tuple(row for row in rows if row.status == PENDING)
        first, self._mark = self._mark is None, mark
        if first:
            news = [News("waits", row) for row in reversed(self._pending)]
            self._followed = {row.approval_id: row.status for row in rows if _may_move(row, now_ms)}
        else:
            news = await self._news({row.approval_id: row for row in rows}, now_ms)
        self._last = max([self._last, *(row.seq for row in rows)])
        return Seen(self._pending, tuple(news))

    async def _news(self, rows: dict[str, ApprovalRow], now_ms: int) -> list[News]:
        found: list[News] = []
        for row in sorted(rows.values(), key=lambda row: row.seq):
            if row.seq > self._last:
                found.append(News("asked", row))
                self._followed[row.approval_id] = PENDING
        for approval_id, before in list(self._followed.items()):
            now = rows.get(approval_id) or await self._found(approval_id, now_ms)
            if now is not None and now.status != before:
                # A yes may have come and been used between two looks.
                both = now.status == SPENT and before != APPROVED
                found += [News(APPROVED, now)] if both else []
                found.append(News(now.status, now))
            if now is None or not _may_move(now, now_ms):
                del self._followed[approval_id]
            else:
                self._followed[approval_id] = now.status
        return found

    async def _found(self, approval_id: str, now_ms: int) -> ApprovalRow | None:
        try:
            return await self._store.approval(approval_id, now_ms)
        except StateError:
            # Somebody edited it, or the state: then the next look at all of them says so.
            return None


def _may_move(row: ApprovalRow, now_ms: int) -> bool:
    """A no that is forgotten keeps its status, and moves no more."""
    return bool(MOVES.get(row.status)) and now_ms < row.expires_ms
