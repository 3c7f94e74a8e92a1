"""Jobs: submit, follow, look up. Polling is the truth, the websocket is the speed.

A job's status comes from looking at ComfyUI; events only make us look sooner and carry progress.
The journal remembers how it ended, so that a job is known after ComfyUI forgot it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from comfy_mcp.errors import AnswerLost, ComfyMCPError, HostError, JobNotFound, StateError
from comfy_mcp.host import Absent, OutputFile
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.host.standing import Submitted
from comfy_mcp.jobs.clear import WAITING
from comfy_mcp.jobs.follow import Followers
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.lister import listed
from comfy_mcp.jobs.listing import JobPage
from comfy_mcp.jobs.overtime import Leave, Watchdog
from comfy_mcp.jobs.pace import Pace
from comfy_mcp.jobs.record import MAX_REFUSAL, REFUSAL, files_of, noted
from comfy_mcp.jobs.show import (
    elsewhere,
    from_journal,
    from_live,
    from_sight,
    untold,
    with_life,
)
from comfy_mcp.jobs.table import ends, may_move
from comfy_mcp.jobs.watch import Live, Watch, after_look
from comfy_mcp.permit import SubmitPermit
from comfy_mcp.store.protocol import JobRow, MadeFile, Store
from comfy_mcp.workflow import Graph
from comfy_mcp.workflow.facts import JobFile
from comfy_mcp.workflow.origin import read_origin

__all__ = ["Jobs", "Pace", "Tell"]

log = logging.getLogger(__name__)

UNREADABLE = "The job was submitted, but the guard's journal cannot be read: ask get_job later."

Tell = Callable[[Live], Awaitable[None]]
"""Called with what is known of the job at every change while somebody waits."""


class Jobs:
    """Every job that this process submits, shows or stops, over one ComfyUI and one journal.

    *overtime* gives leave to stop a job that has run longer than its cap, and writes that down.
    """

    def __init__(
        self,
        host: ComfyHost,
        store: Store,
        *,
        label: str,
        now_ms: Callable[[], int],
        overtime: Leave,
        pace: Pace = Pace(),
    ) -> None:
        self.host = host
        self.store = store
        self.label = label
        self.now_ms = now_ms
        self._pace = pace
        watchdog = Watchdog(self, overtime, seconds=pace.stop, again=pace.again)
        self._followers = Followers(
            host, store, label=label, now_ms=now_ms, pace=pace, ran=watchdog.saw_run
        )
        self.judge = self._followers.judge
        self.keep = self._followers.keep
        self.spawn = self._followers.spawn
        self.unsent: set[str] = set()
        """Jobs that were let through, and that this process has not begun to send."""

    async def close(self) -> None:
        """Stop following; jobs run on and are found again by the next process."""
        await self._followers.close()

    @property
    def listening(self) -> bool:
        """Whether ComfyUI's websocket is open; without it jobs are followed by looking."""
        return self._followers.listening

    async def listed(
        self,
        grant: str,
        *,
        statuses: frozenset[str],
        mine: bool,
        limit: int,
        cursor: str | None,
    ) -> JobPage:
        """A page of jobs; see `comfy_mcp.jobs.lister`."""
        return await listed(self, grant, statuses=statuses, mine=mine, limit=limit, cursor=cursor)

    async def pending_of(self, grant: str) -> tuple[str, ...]:
        """The jobs of *grant* here that wait, as far as the journal knows.

        Raises:
            StateError: the journal cannot be read.
        """
        rows = await self.store.unfinished(host=self.label, grant=grant)
        return tuple(row.prompt_id for row in rows if row.status in WAITING)

    async def adopt(self) -> None:
        """Follow every unfinished job of this ComfyUI, whoever submitted it; to be called once.

        Their ends are then written down and the watchdog holds, although the process that
        submitted them is gone. Jobs that others leave behind later are found, too.
        """
        await self._followers.adopt()

    async def submit(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        grant: str,
        permit: SubmitPermit,
        front: bool = False,
        drawn: tuple[str, ...] = (),
    ) -> Submitted:
        """Queue *graph* for *grant*; the journal must know it already.

        *drawn* says what was left to chance, or changed by a person: it is kept with the job.
        *front*: before all that wait. A caller that is cancelled meanwhile does not tear the
        request apart: it is finished and written down all the same.

        Raises:
            HostError: ComfyUI did not take it (HostRejected: and said why).
            AnswerLost: it was sent, and ComfyUI does not show it yet.
            PermitError: *permit* is not for this graph and job.
        """
        await self._keep_drawn(prompt_id, drawn)
        task = self._followers.spawn(self._submit(graph, prompt_id, grant, permit, front=front))
        return await asyncio.shield(task)

    async def get(self, prompt_id: str, grant: str) -> Job:
        """A job as *grant* may see it, after a look at ComfyUI; with a warning if that failed.

        Raises:
            HostError: ComfyUI cannot be asked, and the journal does not know the job.
            JobNotFound: neither ComfyUI nor the journal knows it.
        """
        row = await self.store.job(prompt_id)
        if row is None:
            return await self._strange(prompt_id)
        if row.host != self.label:
            return elsewhere(row, grant)
        if ends(row.status):
            return from_journal(row, grant, self.host, self.now_ms())
        return await self._unfinished(row, grant)

    async def files(self, prompt_id: str) -> tuple[OutputFile, ...]:
        """The outputs of a finished job of the journal, in the order of their numbers."""
        row = await self.store.job(prompt_id)
        here = row is not None and row.host == self.label
        return files_of(row.result) if row is not None and here else ()

    async def wait(
        self, prompt_id: str, grant: str, seconds: float, tell: Tell | None = None
    ) -> Job:
        """As *get*, once the job has ended or *seconds* are over; a time-out is no error.

        While ComfyUI is away it is waited for, since it may come back and know the job or not.
        """
        if seconds <= 0:
            return await self.get(prompt_id, grant)
        if await self._followers.vitals.still_dead():
            return await self.get(prompt_id, grant)
        watch = self._followers.follow(prompt_id)
        watch.dead = False
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

    async def origin(self, prompt_id: str, grant: str) -> dict[str, Any] | None:
        """Where a job of *grant* came from, see `comfy_mcp.workflow.origin`; None: nobody knows.

        Raises:
            StateError: the journal cannot be read.
        """
        row = await self.store.job(prompt_id)
        if row is None or row.grant != grant:
            return None
        text = await self.store.origin(prompt_id)
        return None if text is None else await asyncio.to_thread(read_origin, text)

    async def foreign(self, files: tuple[JobFile, ...], grant: str) -> tuple[JobFile, ...]:
        """Those of *files* that no job of *grant* on this ComfyUI is known to have made.

        Raises:
            StateError: the journal cannot be read.
        """
        made = {file: MadeFile(file.type, file.subfolder, file.filename) for file in files}
        named = (known for known in made.values() if known.filename)
        makers = await self.store.makers(self.label, tuple(dict.fromkeys(named)))
        return tuple(file for file in files if makers.get(made[file]) != grant)

    async def estimate(self, shape: str) -> int | None:
        """How many ms a job of *shape* takes here, 19 times of 20 at most; None: nobody knows.

        Raises:
            StateError: the journal cannot be read.
        """
        return await self.store.estimate(self.label, shape)

    async def _strange(self, prompt_id: str) -> Job:
        """A job that the journal does not know."""
        seen = await self.judge.look(prompt_id)
        if isinstance(seen, Absent):
            raise JobNotFound(
                f"ComfyUI has no job {prompt_id} in its queue or history, and none was"
                " submitted through this server. Check the prompt_id."
            )
        return from_sight(prompt_id, seen)

    async def _unfinished(self, row: JobRow, grant: str) -> Job:
        prompt_id = row.prompt_id
        try:
            seen = await self.judge.look(prompt_id, row)
        except HostError as error:
            return self._unasked(row, grant, error)
        fresh = await self.store.job(prompt_id) or row
        if ends(fresh.status):
            return from_journal(fresh, grant, self.host, self.now_ms())
        watch = self._followers.known(prompt_id)
        live = after_look(watch.live, seen) if watch else None
        job = from_live(fresh, grant, seen, live, self.now_ms())
        if fresh.grant != grant:
            return job
        return with_life(
            job, dead=self.host.worker_died, silence_s=watch.silence_s if watch else None
        )

    def _unasked(self, row: JobRow, grant: str, error: HostError) -> Job:
        """A job as it was last seen, while ComfyUI cannot be asked."""
        watch = self._followers.known(row.prompt_id)
        job = from_live(row, grant, None, watch.live if watch else None, self.now_ms())
        told = {"queue_position": None, "progress": None, "warnings": [*job.warnings, str(error)]}
        return job.model_copy(update=told)

    async def _submit(
        self, graph: Graph, prompt_id: str, grant: str, permit: SubmitPermit, *, front: bool
    ) -> Submitted:
        watch = await self._followers.expect(prompt_id, grant, len(graph.nodes))
        self.judge.sends(prompt_id)
        try:
            submitted = await self._send(graph, watch, permit, front=front)
        except AnswerLost:
            # It may show up yet: followed, so that its slot is freed one way or the other.
            self._followers.begin(watch)
            raise
        except ComfyMCPError as error:
            self._followers.let_go(watch)
            await self._note(prompt_id, "refused", {REFUSAL: str(error)[:MAX_REFUSAL]})
            raise
        await self._note(prompt_id, "pending", noted(submitted))
        self._followers.begin(watch)
        return submitted

    async def _keep_drawn(self, prompt_id: str, drawn: tuple[str, ...]) -> None:
        """Before it is sent: nobody else will ever know."""
        if drawn:
            await self._note(prompt_id, "submitting", {"drawn": list(drawn)})

    async def _note(self, prompt_id: str, status: str, result: dict[str, Any]) -> None:
        """Write down what became of a submit. The job is what it is, written down or not."""
        try:
            row = await self.store.job(prompt_id)
            if row is not None:
                # Another process may have seen it run meanwhile.
                status = status if may_move(row.status, status) else row.status
                result = {**row.result, **result}
            await self.store.move_job(prompt_id, status, self.now_ms(), result=result)
        except StateError:
            log.exception("Job %s is %s, but that could not be written down.", prompt_id, status)

    async def _send(
        self, graph: Graph, watch: Watch, permit: SubmitPermit, *, front: bool
    ) -> Submitted:
        """Once; an answer that takes long is not waited for if ComfyUI shows the job."""
        prompt_id, client_id = watch.prompt_id, watch.client_id or ""
        sending = self._followers.spawn(
            self.host.submit(
                graph, prompt_id=prompt_id, client_id=client_id, permit=permit, front=front
            )
        )
        while not (await asyncio.wait([sending], timeout=self._pace.patience))[0]:
            if await self._shows(prompt_id) or await self._was_seen(prompt_id):
                self._followers.spawn(self._late(sending, prompt_id))
                return self._found(prompt_id)
        try:
            return await sending
        except AnswerLost as error:
            await self._search(prompt_id, error)
            return self._found(prompt_id)

    async def _late(self, sending: asyncio.Task[Submitted], prompt_id: str) -> None:
        """Note what an answer says that comes when the job has long been found."""
        try:
            submitted = await sending
        except ComfyMCPError as error:
            log.info("Job %s is there, though its submit ended so: %s", prompt_id, error)
        else:
            await self._note(prompt_id, "pending", noted(submitted))

    async def _shows(self, prompt_id: str) -> bool:
        with suppress(HostError):
            return not isinstance(await self.host.look(prompt_id), Absent)
        return False

    async def _was_seen(self, prompt_id: str) -> bool:
        """Whether somebody has seen it there meanwhile, and may have stopped it since."""
        with suppress(StateError):
            row = await self.store.job(prompt_id)
            return row is not None and row.status != "submitting"
        return False

    def _found(self, prompt_id: str) -> Submitted:
        """A submit whose answer is missing, of a job that is there."""
        theirs = self.host.theirs(prompt_id)
        return Submitted(known_as=None if theirs == prompt_id else theirs)

    async def _search(self, prompt_id: str, lost: AnswerLost) -> None:
        """Look for a job whose answer was lost; it is never sent twice."""
        deadline = asyncio.get_running_loop().time() + self._pace.search
        while True:
            if await self._shows(prompt_id):
                return
            if asyncio.get_running_loop().time() > deadline:
                raise AnswerLost(
                    f"{lost} So far ComfyUI does not show the job; it was not sent again.",
                    prompt_id=prompt_id,
                ) from lost
            await asyncio.sleep(self._pace.least)

    async def _watch_over(self, watch: Watch, grant: str, tell: Tell | None) -> None:
        failures = watch.failures
        while not (watch.final or watch.dead or watch.failures != failures):
            version = watch.version
            if tell is not None:
                await tell(watch.live_for(grant))
            await watch.change(version)
