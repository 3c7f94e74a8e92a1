"""Looking at the state, the policy and ComfyUI while somebody has the page open.

A round costs three small reads if nothing happened: each has a mark that differs when something
did. A snapshot that is some seconds old is put up again, as a sign of life.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from comfy_mcp.console.board import Board
from comfy_mcp.console.cards import Cards
from comfy_mcp.console.comfyui import Watcher
from comfy_mcp.console.jobs_shown import Shelf
from comfy_mcp.console.other_policy import LOOKED_AT, last_judged, warning
from comfy_mcp.console.parts import Parts
from comfy_mcp.console.snapshot import Books, rendered, sameness
from comfy_mcp.errors import StateError
from comfy_mcp.oversight import holding
from comfy_mcp.oversight.standing import Standing
from comfy_mcp.store.protocol import EVERYBODY, JobRow

__all__ = ["Looking"]

log = logging.getLogger(__name__)

ROUND_S = 0.5
LIMITS_S = 2.0
"""Windows roll on without anybody calling; so often that is worked out anew."""

RUNNING_MS, IDLE_MS = 1_000, 10_000
"""So long a snapshot stays up while nothing changes."""

MOST_ENDED = 20
MOST_OPEN = 100


class Looking:
    """Puts a snapshot on *board* whenever something has changed."""

    def __init__(self, parts: Parts, board: Board) -> None:
        self._parts = parts
        self._board = board
        self._poke = asyncio.Event()
        self._watcher = Watcher(parts, self._poke.set)
        self._cards = Cards(parts)
        self._books = Books()
        self._shown: object = None
        self._limits_at = float("-inf")
        board.while_heard(self._look, self._watcher.watch)

    def poke(self) -> None:
        """Look now: somebody did something here."""
        self._poke.set()

    async def _look(self) -> None:
        self._shown = None
        self._books = Books()
        failed = ""
        while True:
            self._poke.clear()
            try:
                await self._round()
                failed = ""
            except Exception as error:
                # Said once for each reason: it is tried again twice a second.
                if repr(error) != failed:
                    log.exception("What the page shows could not be read; trying again.")
                failed = repr(error)
            try:
                async with asyncio.timeout(ROUND_S):
                    await self._poke.wait()
            except TimeoutError:
                pass

    async def _round(self) -> None:
        parts = self._parts
        await parts.policy.refresh()
        try:
            words = await parts.missing()
            books = Books(words=words) if words else await self._read(self._books)
        except StateError as error:
            books = Books(words=str(error))
        self._books = books
        comfyui, policy, now_ms = self._watcher.now, self._policy(books), parts.now_ms()
        shown = (sameness(books), comfyui, policy, _beat(books, now_ms))
        if shown != self._shown:
            self._shown = shown
            work = partial(rendered, books, policy, comfyui, parts.host, now_ms)
            self._board.put(await anyio.to_thread.run_sync(work))

    def _policy(self, books: Books) -> dict[str, Any]:
        """The policy as it is shown, with a warning if servers seem to have another."""
        policy = self._parts.policy
        told = policy.as_object()
        other = warning(books.judged, policy.loaded, (*books.asked, *books.decided))
        return told if other is None else {**told, "warnings": [other, *told["warnings"]]}

    async def _read(self, before: Books) -> Books:
        """The state as it is; what cannot have changed since *before* is not read again."""
        store, now_ms = self._parts.store, self._parts.now_ms()
        head, mark = await store.head(), await store.approvals_mark(now_ms)
        shelf = replace(before.shelf, open_=await self._open())
        fresh = before.head is None or head.seq != before.head.seq
        if mark != before.mark:
            await self._cards.look(now_ms)
        await self._cards.fill(now_ms)
        cards = self._cards
        before = replace(before, asked=cards.asked, decided=cards.decided, mark=mark)
        if fresh:
            shelf = replace(shelf, ended=await self._ended())
            before = replace(
                before, judged=last_judged(await store.tail(LOOKED_AT)) or before.judged
            )
        shelf = replace(shelf, estimates=await self._estimates(shelf))
        standing = await self._standing(before.standing, now_ms, fresh=fresh)
        found = replace(before, words="", head=head, standing=standing, shelf=shelf)
        return replace(found, grants=self._grants(found))

    def _grants(self, books: Books) -> tuple[str, ...]:
        """Whom one may freeze, as far as they have been heard of."""
        loaded, standing = self._parts.policy.loaded, books.standing
        names = {row.grant for row in (*books.shelf.open_, *books.shelf.ended)}
        names |= {row.grant for row in (*books.asked, *books.decided)}
        names |= {one.holder for one in standing.others} | {one.holder for one in standing.gauges}
        names |= {grant.id for grant in loaded.policy.grants} if loaded else set[str]()
        return tuple(sorted(names - {EVERYBODY, ""}))

    async def _open(self) -> tuple[JobRow, ...]:
        label = self._parts.label
        return () if label is None else (await self._parts.store.unfinished(host=label))[:MOST_OPEN]

    async def _ended(self) -> tuple[JobRow, ...]:
        label = self._parts.label
        return () if label is None else await self._parts.store.jobs(label, count=MOST_ENDED)

    async def _estimates(self, shelf: Shelf) -> dict[str, int]:
        """How long jobs of the shapes that run take; each is asked for once."""
        known = dict(shelf.estimates or {})
        label = self._parts.label
        wanted = {row.shape for row in shelf.open_ if row.shape and row.running_ms is not None}
        for shape in wanted - known.keys():
            known[shape] = (await self._parts.store.estimate(label, shape) or 0) if label else 0
        return {shape: known[shape] for shape in wanted}

    async def _standing(self, before: Standing, now_ms: int, *, fresh: bool) -> Standing:
        loaded, now = self._parts.policy.loaded, asyncio.get_running_loop().time()
        if not fresh and now - self._limits_at < LIMITS_S:
            return before
        self._limits_at = now
        if loaded is None:
            return Standing(freezes=await self._parts.store.freezes())
        own, label = self._parts.settings.grant, self._parts.label
        return await holding.everybody(self._parts.store, loaded.policy, own, label, now_ms)


def _beat(books: Books, now_ms: int) -> int:
    """Changes every second while something runs, whose progress may be guessed; else seldom."""
    runs = any(row.running_ms is not None for row in books.shelf.open_)
    return now_ms // (RUNNING_MS if runs else IDLE_MS)
