"""Jobs: submit, follow, look up. Polling is the truth, the websocket is the speed.

A job's status comes from looking at ComfyUI; events only make us look sooner and carry progress.
The journal remembers how it ended, so that a job is known after ComfyUI forgot it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from comfy_mcp.errors import (
    AnswerLost,
    ComfyMCPError,
    HostError,
    JobNotFound,
    StateError,
)
from comfy_mcp.host import (
    Absent,
    Ended,
    Event,
    OutputFile,
    QueueChanged,
)
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.stream import EventStream
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.judge import Judge
from comfy_mcp.jobs.record import files_of
from comfy_mcp.jobs.show import elsewhere, from_journal, from_live, from_sight, untold
from comfy_mcp.jobs.table import ends
from comfy_mcp.jobs.watch import Live, Watch, after_look
from comfy_mcp.permit import SubmitPermit
from comfy_mcp.store.protocol import JobRow, Store
from comfy_mcp.workflow import Graph

__all__ = ["Jobs", "Pace", "Tell"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")

UNREADABLE = "The job was submitted, but the guard's journal cannot be read: ask get_job later."

Tell = Callable[[Live], Awaitable[None]]
"""Called with what is known of the job at every change while somebody waits."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks: with a live socket, without one (grows up to *most*), and to be sure.

    *doubt* is the pause before a job that was not found is looked for once more; *search* is how
    long a job whose answer was lost is looked for; *forget* how old a submit must be before a job
    that ComfyUI does not know counts as lost.
    """

    live: float = 5.0
    least: float = 0.25
    most: float = 2.0
    doubt: float = 0.3
    search: float = 10.0
    forget: float = 90.0


class Jobs:
    """Every job that this process follows, over one ComfyUI and one journal."""

    def __init__(
        self,
        host: ComfyHost,
        store: Store,
        *,
        label: str,
        now_ms: Callable[[], int],
        pace: Pace = Pace(),
    ) -> None:
        self.host = host
        self.store = store
        self.label = label
        self.now_ms = now_ms
        self._pace = pace
        self.judge = Judge(
            host,
            store,
            label=label,
            now_ms=now_ms,
            settled=self._settled,
            doubt=pace.doubt,
            forget=pace.forget,
        )
        self._stream = EventStream(host.address, self._heard, dropped=self._look_around)
        self._watches: dict[str, Watch] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Stop following; jobs run on and are found again by the next process."""
        await self._stream.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def submit(
        self, graph: Graph, *, prompt_id: str, grant: str, permit: SubmitPermit
    ) -> tuple[str, ...]:
        """Queue *graph* for *grant*; the journal must know it already. Returns what was dropped.

        A caller that is cancelled meanwhile does not tear the request apart: it is finished and
        written down all the same.

        Raises:
            HostError: ComfyUI did not take it (HostRejected: and said why).
            AnswerLost: it was sent, and ComfyUI does not show it yet.
            PermitError: *permit* is not for this graph and job.
        """
        task = self._spawn(self._submit(graph, prompt_id, grant, permit))
        return await asyncio.shield(task)

    async def get(self, prompt_id: str, grant: str) -> Job:
        """A job as *grant* may see it, after a look at ComfyUI.

        Raises:
            JobNotFound: neither ComfyUI nor the journal knows it.
        """
        row = await self.store.job(prompt_id)
        if row is not None and row.host != self.label:
            return elsewhere(row, grant)
        if row is not None and ends(row.status):
            return from_journal(row, grant, self.host, self.now_ms())
        seen = await self.judge.look(prompt_id, row)
        if row is None:
            if isinstance(seen, Absent):
                raise JobNotFound(
                    f"ComfyUI has no job {prompt_id} in its queue or history, and none was"
                    " submitted through this server. Check the prompt_id."
                )
            return from_sight(prompt_id, seen)
        fresh = await self.store.job(prompt_id) or row
        if ends(fresh.status):
            return from_journal(fresh, grant, self.host, self.now_ms())
        watch = self._watches.get(prompt_id)
        live = after_look(watch.live, seen) if watch else None
        return from_live(fresh, grant, seen, live, self.now_ms())

    async def files(self, prompt_id: str) -> tuple[OutputFile, ...]:
        """The outputs of a finished job of the journal, in the order of their numbers."""
        row = await self.store.job(prompt_id)
        here = row is not None and row.host == self.label
        return files_of(row.result) if row is not None and here else ()

    async def wait(
        self, prompt_id: str, grant: str, seconds: float, tell: Tell | None = None
    ) -> Job:
        """As *get*, once the job has ended or *seconds* are over; a time-out is no error."""
        if seconds <= 0:
            return await self.get(prompt_id, grant)
        watch = self._follow(prompt_id)
        watch.waiting += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._watch_over(watch, grant, tell)
        finally:
            watch.waiting -= 1
        if watch.ended is not None:
            return from_journal(watch.ended, grant, self.host, self.now_ms())
        try:
            return await self.get(prompt_id, grant)
        except HostError as error:
            row = await self.store.job(prompt_id)
            if row is None:
                raise
            job = from_live(row, grant, None, watch.live, self.now_ms())
            return job.model_copy(update={"warnings": [*job.warnings, str(error)]})
        except StateError:
            if watch.grant != grant:
                raise
            log.exception("Job %s was submitted; the journal cannot be read.", prompt_id)
            return untold(prompt_id, watch.live, UNREADABLE)

    async def owner(self, prompt_id: str, grant: str) -> str | None:
        """Whose job it is for *grant*: mine, other agent or human; None if nobody has it."""
        row = await self.store.job(prompt_id)
        if row is not None:
            return "mine" if row.grant == grant else "other agent"
        return None if isinstance(await self.host.look(prompt_id), Absent) else "human"

    async def _submit(
        self, graph: Graph, prompt_id: str, grant: str, permit: SubmitPermit
    ) -> tuple[str, ...]:
        client_id = await self._stream.ready()
        watch = Watch(prompt_id, grant=grant, client_id=client_id, total=len(graph.nodes))
        self._watches[prompt_id] = watch
        try:
            warnings = await self._send(graph, watch, client_id, permit)
        except AnswerLost:
            # It may show up yet: followed, so that its slot is freed one way or the other.
            self._spawn(self._run(watch))
            raise
        except ComfyMCPError:
            self._let_go(watch)
            await self._note(prompt_id, "refused", {})
            raise
        await self._note(prompt_id, "pending", {"warnings": list(warnings)})
        self._spawn(self._run(watch))
        return warnings

    async def _note(self, prompt_id: str, status: str, result: dict[str, Any]) -> None:
        """Write down what became of a submit. The job is what it is, written down or not."""
        try:
            await self.store.move_job(prompt_id, status, self.now_ms(), result=result)
        except StateError:
            log.exception("Job %s is %s, but that could not be written down.", prompt_id, status)

    async def _send(
        self, graph: Graph, watch: Watch, client_id: str, permit: SubmitPermit
    ) -> tuple[str, ...]:
        prompt_id = watch.prompt_id
        try:
            return await self.host.submit(
                graph, prompt_id=prompt_id, client_id=client_id, permit=permit
            )
        except AnswerLost:
            await self._search(prompt_id)
            return ()

    async def _search(self, prompt_id: str) -> None:
        """Look for a job whose answer was lost; it is never sent twice."""
        deadline = asyncio.get_running_loop().time() + self._pace.search
        while True:
            with suppress(HostError):
                if not isinstance(await self.host.look(prompt_id), Absent):
                    return
            if asyncio.get_running_loop().time() > deadline:
                raise AnswerLost(
                    "ComfyUI's answer was lost, and it does not show the job. It was not sent"
                    f" again. Ask get_job for {prompt_id} before running the workflow once more.",
                    prompt_id=prompt_id,
                )
            await asyncio.sleep(self._pace.least)

    def _follow(self, prompt_id: str) -> Watch:
        known = self._watches.get(prompt_id)
        if known is not None:
            return known
        watch = self._watches[prompt_id] = Watch(prompt_id)
        watch.poke()
        self._spawn(self._run(watch))
        return watch

    async def _watch_over(self, watch: Watch, grant: str, tell: Tell | None) -> None:
        while not watch.final and watch.trouble is None:
            version = watch.version
            if tell is not None:
                await tell(watch.live_for(grant))
            await watch.change(version)

    async def _run(self, watch: Watch) -> None:
        """Follow one job to its end; without an owner's interest, only while somebody waits."""
        pause = self._pace.least
        try:
            while not watch.final:
                heard = watch.client_id is not None and watch.client_id == self._stream.client_id
                await watch.poked(self._pace.live if heard else pause)
                if not watch.final:
                    await self._step(watch)
                pause = min(pause * 1.5, self._pace.most)
        finally:
            self._let_go(watch)

    def _settled(self, row: JobRow) -> None:
        """Nobody needs to look any more: those who wait are told."""
        watch = self._watches.get(row.prompt_id)
        if watch is not None:
            watch.final = True
            watch.ended = row if ends(row.status) else None
            watch.announce()

    def _let_go(self, watch: Watch) -> None:
        self._watches.pop(watch.prompt_id, None)
        watch.final = True
        watch.announce()

    async def _step(self, watch: Watch) -> None:
        try:
            row = await self.store.job(watch.prompt_id)
        except StateError as error:
            watch.trouble = error
            watch.announce()
            return
        if row is not None:
            watch.grant = row.grant
            # Another process may have written it, or the job is none of this ComfyUI's.
            watch.final = ends(row.status) or row.host != self.label
        if watch.final:
            return
        try:
            seen = await self.judge.look(watch.prompt_id, row)
        except (HostError, StateError) as error:
            watch.trouble = error
            watch.announce()
            return
        watch.trouble = None
        watch.update(after_look(watch.live, seen))
        over = isinstance(seen, Ended | Absent) if row is None else False
        watch.final = watch.final or over or (row is None and not watch.waiting)

    def _look_around(self) -> None:
        """The socket is gone: whatever it would have said has to be looked up."""
        for watch in self._watches.values():
            watch.poke()

    def _heard(self, event: Event) -> None:
        if isinstance(event, QueueChanged):
            for watch in self._watches.values():
                if watch.live.status == "pending":
                    watch.poke(0.05)
            return
        known = self._watches.get(event.prompt_id)
        if known is not None:
            known.hear(event)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold on to a task until it is done or this object is closed."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self.keep(task)
        return task
