"""Followers: one task a job, woken by events, deadlines and its own pace, until the job has ended.

Jobs that this process submitted or that somebody waits for are followed closely. Adopted ones, of
whatever process, are looked at seldom and a few at a time, so that their ends are written down and
the watchdog holds though the process that submitted them is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from comfy_mcp.errors import HostError, StateError
from comfy_mcp.host import Absent, Ended, Event, Pending, QueueChanged, Running
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.stream import EventStream
from comfy_mcp.jobs.judge import Judge
from comfy_mcp.jobs.noting import Noter
from comfy_mcp.jobs.pace import Pace
from comfy_mcp.jobs.table import ends
from comfy_mcp.jobs.vitals import Vitals
from comfy_mcp.jobs.watch import Watch, after_look
from comfy_mcp.store.protocol import JobRow, Store

__all__ = ["Followers"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

ADOPTED_AT_ONCE = 4
"""Adopted jobs that are looked at at a time."""

SOON = 2
"""Jobs this near to their turn are looked at at each change of the queue, the others at their pace:
with many jobs, to look at all each time would be a storm."""


class Followers:
    """Every job that this process follows, over one ComfyUI and one journal.

    *ran* hears of every look that sees a journaled job run, and says when to look again, by the
    event loop's clock.
    """

    def __init__(
        self,
        host: ComfyHost,
        store: Store,
        *,
        label: str,
        now_ms: Callable[[], int],
        pace: Pace,
        ran: Callable[[Watch, JobRow], float | None],
    ) -> None:
        self.judge = Judge(
            host,
            store,
            label=label,
            now_ms=now_ms,
            settled=self._settled,
            doubt=pace.doubt,
            forget=pace.forget,
            order=pace.order,
        )
        self._store = store
        self._label = label
        self._pace = pace
        self._ran = ran
        self._host = host
        self._stream = EventStream(
            host.address, self._heard, dropped=self._look_around, broke=host.socket_broke
        )
        self.vitals = Vitals(
            host, seconds=pace.silence, clock=lambda: asyncio.get_running_loop().time()
        )
        self._watches: dict[str, Watch] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._at_leisure = asyncio.Semaphore(ADOPTED_AT_ONCE)
        self._sweeper: asyncio.Task[None] | None = None
        self._noter = Noter(store, now_ms, self.spawn)

    @property
    def listening(self) -> bool:
        """Whether the websocket is open."""
        return self._stream.client_id is not None

    async def close(self) -> None:
        """Stop following; jobs run on and are found again by the next process."""
        await self._stream.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task until it is done or this object is closed."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Do *work* in a task that is held on to."""
        task = asyncio.create_task(work)
        self.keep(task)
        return task

    def known(self, prompt_id: str) -> Watch | None:
        """The watch of a job that is followed."""
        return self._watches.get(prompt_id)

    async def expect(self, prompt_id: str, grant: str, total: int) -> Watch:
        """The watch of a job of *total* nodes that is about to be submitted with its client id.

        It hears events from now on; *begin* follows it, *let_go* forgets it.
        """
        client_id = await self._stream.ready()
        watch = self._watches.get(prompt_id)
        if watch is None:
            watch = self._watches[prompt_id] = Watch(prompt_id)
        # Somebody who repeats the call may wait for the job before it is sent.
        watch.take_on(grant, client_id, total)
        return watch

    def begin(self, watch: Watch) -> None:
        """Follow a job to its end."""
        self._watches[watch.prompt_id] = watch
        if watch.followed:
            watch.poke()
            return
        watch.followed = True
        self.spawn(self._run(watch))

    def follow(self, prompt_id: str) -> Watch:
        """The watch of a job that somebody is about to wait for, followed from now on at least."""
        watch = self._watches.get(prompt_id)
        if watch is None:
            watch = Watch(prompt_id)
            watch.poke()
            self.begin(watch)
        elif watch.adopted or watch.trouble is not None:
            watch.poke()
        return watch

    def let_go(self, watch: Watch) -> None:
        """Forget a job; whoever waits for it is told."""
        if self._watches.get(watch.prompt_id) is watch:
            del self._watches[watch.prompt_id]
        watch.final = True
        watch.poke()
        watch.announce()

    async def adopt(self) -> None:
        """Follow all unfinished jobs of the journal, now and whenever there are new ones."""
        await self._sweep()
        if self._sweeper is None:
            self._sweeper = self.spawn(self._keep_sweeping())

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._pace.sweep)
            await self._sweep()

    async def _sweep(self) -> None:
        try:
            rows = await self._store.unfinished(host=self._label)
        except StateError:
            log.exception("The journal cannot be read for unfinished jobs; it is tried again.")
            return
        for row in rows:
            if row.prompt_id not in self._watches:
                watch = Watch(row.prompt_id, grant=row.grant, adopted=True)
                watch.poke()
                self.begin(watch)

    async def _run(self, watch: Watch) -> None:
        """Follow one job to its end; without an owner's interest, only while somebody waits."""
        pause = self._pace.least
        try:
            while not watch.final:
                await watch.poked(self._seconds(watch, pause))
                if not watch.final:
                    async with self._turn(watch):
                        await self._step(watch)
                pause = min(pause * 1.5, self._pace.most)
        finally:
            self.let_go(watch)

    def _seconds(self, watch: Watch, pause: float) -> float:
        """How long until the next look, if nothing happens."""
        heard = watch.client_id is not None and watch.client_id == self._stream.client_id
        usual = self._pace.live if heard or _at_leisure(watch) else pause
        if watch.wake_at is None:
            return usual
        return min(usual, max(0.0, watch.wake_at + 0.001 - asyncio.get_running_loop().time()))

    def _turn(self, watch: Watch) -> AbstractAsyncContextManager[object]:
        return self._at_leisure if _at_leisure(watch) else nullcontext()

    async def _step(self, watch: Watch) -> None:
        # Set anew by each look: a host that is away must not be asked in haste.
        watch.wake_at = None
        try:
            row = await self._store.job(watch.prompt_id)
            if row is not None:
                watch.grant = row.grant
                # Another process may have written it, or the job is none of this ComfyUI's.
                watch.final = ends(row.status) or row.host != self._label
            if not watch.final:
                await self._look(watch, row)
        except (HostError, StateError) as error:
            watch.fail(error)

    async def _look(self, watch: Watch, row: JobRow | None) -> None:
        seen = await self.judge.look(watch.prompt_id, row, fresh=False)
        watch.trouble = None
        watch.update(after_look(watch.live, seen))
        if isinstance(seen, Pending | Running):
            await self.vitals.check(watch)
        if row is not None and isinstance(seen, Running):
            watch.wake_at = self._ran(watch, row)
        over = isinstance(seen, Ended | Absent) if row is None else False
        watch.final = watch.final or over or (row is None and not watch.waiting)

    def _settled(self, row: JobRow) -> None:
        """Nobody needs to look any more: those who wait are told."""
        watch = self._watches.get(row.prompt_id)
        if watch is not None:
            watch.final = True
            watch.ended = row if ends(row.status) else None
            watch.poke()
            watch.announce()

    def _look_around(self) -> None:
        """The socket is gone: whatever it would have said has to be looked up."""
        for watch in self._watches.values():
            if not _at_leisure(watch):
                watch.poke()

    def _heard(self, event: Event) -> None:
        if isinstance(event, QueueChanged):
            for watch in self._watches.values():
                if _is_next(watch) and not _at_leisure(watch):
                    watch.poke(0.05)
            return
        known = self._watches.get(self._host.ours(event.prompt_id))
        if known is not None:
            known.hear(event)
            self._noter.heard(known)


def _is_next(watch: Watch) -> bool:
    """Whether it may begin to run with the next change."""
    position = watch.live.position
    return watch.live.status == "pending" and (position is None or position <= SOON)


def _at_leisure(watch: Watch) -> bool:
    return watch.adopted and not watch.waiting
