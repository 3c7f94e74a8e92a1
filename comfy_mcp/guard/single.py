"""Admits one call: decided, reserved and written down, or refused and nothing taken."""

from __future__ import annotations

import logging
from asyncio import Task
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from comfy_mcp.errors import (
    ApprovalNeeded,
    ComfyMCPError,
    Denied,
    KeyConflict,
    RateLimited,
    Refused,
    StateError,
)
from comfy_mcp.guard import record as rows
from comfy_mcp.guard.admission import admission, may_be_over, reads
from comfy_mcp.guard.call import Call, Granted
from comfy_mcp.guard.denial import from_full, from_standing, unwritable
from comfy_mcp.guard.granting import Taken, granted
from comfy_mcp.guard.hearing import Judged
from comfy_mcp.guard.matter import Matter
from comfy_mcp.guard.offices import Offices
from comfy_mcp.guard.question import Effect
from comfy_mcp.guard.repeat import conflict, earlier, is_same, of_repeat
from comfy_mcp.guard.room import holding
from comfy_mcp.guard.second_look import changed, of_others, stale
from comfy_mcp.store.protocol import Cooling, Frozen, Full, JobRow, Repeated, Unapproved

__all__ = ["Single"]

log = logging.getLogger(__name__)


class Single:
    """One call at a time, over the gate's offices."""

    def __init__(self, offices: Offices) -> None:
        self._o = offices

    @asynccontextmanager
    async def admit(self, call: Call, matter: Matter) -> AsyncGenerator[Granted]:
        """See `Gate.admit`."""
        if call.job is not None and call.run is None:
            raise AssertionError("a job was to be admitted unmeasured")
        decision_id = self._o.decision_id()
        call = await self._with_a_person(call, matter, decision_id)
        taken = await self._take_whole(call, decision_id)
        outcome = "error"
        try:
            yield granted(call, decision_id, taken, self._o.clock())
            outcome = "ok"
        except ComfyMCPError as error:
            outcome = error.code
            raise
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled_by_client"
            raise
        finally:
            if taken.written:
                writing = self._o.clerk.outcome(call, decision_id, outcome)
                await self._o.tasks.finished(writing)

    async def _with_a_person(self, call: Call, matter: Matter, decision_id: str) -> Call:
        """*call* itself, or the one that a person let through, where one has to be asked.

        Whatever became of the policy by the time of the yes: the whole call is judged again then.
        """
        judged = self._o.hearing.judge(call, final=True)
        if judged.decision.effect is not Effect.APPROVAL or judged.decision.grant != call.grant:
            return call
        try:
            if await earlier(self._o.store, call) is not None:
                # It gets its job: nothing is left to be decided.
                return call
            if await of_others(self._o.store, call) is not None:
                # It is refused where it is taken, and nobody is asked about it.
                return call
            return await self._o.asker.leave(
                call, judged.decision, judged.loaded, matter, decision_id
            )
        except (ApprovalNeeded, Denied, RateLimited) as refusal:
            await self._o.clerk.refused(call, judged.decision, decision_id, judged.loaded, refusal)
            raise
        except StateError:
            log.exception("The guard's state cannot be used.")
            raise unwritable(decision_id) from None

    async def _take_whole(self, call: Call, decision_id: str) -> Taken:
        """As *_take*, but never torn apart: what a caller that gave up took is given back."""
        return await self._o.tasks.whole(
            self._take(call, decision_id), lambda taking: self._undo(taking, call, decision_id)
        )

    async def _undo(self, taking: Task[Taken], call: Call, decision_id: str) -> None:
        """Give back the slot of a job that nobody will submit."""
        try:
            taken = await taking
            if taken.written and call.job is not None and taken.repeated is None:
                await self._o.store.move_job(call.job.prompt_id, "refused", self._o.now_ms())
        except (Refused, KeyConflict, StateError):
            # Nothing was taken, and a refusal was written down where it was made.
            return
        if taken.written:
            await self._o.clerk.outcome(call, decision_id, "cancelled_by_client")

    async def _take(self, call: Call, decision_id: str) -> Taken:
        """Reserve what the call takes, or find what an earlier one with the same key took."""
        # Right before anything is reserved: an edit that was saved by now counts.
        await self._o.source.refresh()
        try:
            again = await self._again(call, decision_id)
            if again is None:
                judged = await self._allowed(call, decision_id)
                again = await self._reserve(call, judged, decision_id)
        except StateError:
            log.exception("The guard's state cannot be used.")
            if not reads(call) or call.spend is not None:
                raise unwritable(decision_id) from None
            return Taken(written=False)
        return Taken(written=True, repeated=again)

    async def _allowed(self, call: Call, decision_id: str) -> Judged:
        """The policy's yes to the whole call; all that it stops are the caller's own jobs.

        Raises:
            Refused: it says something else.
            StateError: whose jobs they are cannot be read.
        """
        judged = self._o.hearing.judge(call, final=True)
        if judged.decision.effect is Effect.DENY:
            raise await self._o.clerk.refusal(call, judged, decision_id)
        no = (
            changed(call, judged.decision)
            or await of_others(self._o.store, call)
            or stale(call, judged.decision, judged.loaded.revision)
        )
        if no is not None:
            raise await self._o.clerk.refusal(call, replace(judged, decision=no), decision_id)
        return judged

    async def _again(self, call: Call, decision_id: str) -> JobRow | None:
        """The job of an earlier call with the same key, whatever limits are full by now.

        Raises:
            Refused: the caller may not call the tool, or not like this.
            KeyConflict: the key was used for another request.
            StateError: the journal cannot be read.
        """
        row = await earlier(self._o.store, call)
        if row is None:
            return None
        # Nothing is run: rules about graphs and limits have had their say when it was.
        judged = self._o.hearing.judge(replace(call, run=None, job=None), final=False)
        standing = await self._o.clerk.standing(call)
        if standing is not None or judged.decision.effect is Effect.DENY:
            raise await self._o.clerk.refusal(call, judged, decision_id, standing)
        no = changed(call, judged.decision)
        if no is not None:
            raise await self._o.clerk.refusal(call, replace(judged, decision=no), decision_id)
        return await self._repeated(call, judged, decision_id, row)

    async def _repeated(self, call: Call, judged: Judged, decision_id: str, row: JobRow) -> JobRow:
        """Write the repeat down; another request under the same key is refused."""
        record = of_repeat(call, judged.decision, decision_id, judged.loaded.revision, row)
        if not is_same(call, row):
            await self._o.clerk.refuse(call, judged.loaded, record)
            raise conflict(row)
        await self._o.store.record(self._o.now_ms(), record)
        self._o.clerk.tell(record)
        return row

    async def _reserve(self, call: Call, judged: Judged, decision_id: str) -> JobRow | None:
        decision = judged.decision
        record = rows.of_decision(call, decision, decision_id, judged.loaded.revision)
        taken = admission(call, decision, decision_id, self._o.now_ms(), record)
        answer = await self._o.store.admit(taken)
        if isinstance(answer, Full) and may_be_over(answer):
            await self._o.reconcile(call.grant)
            answer = await self._o.store.admit(replace(taken, now_ms=self._o.now_ms()))
        if isinstance(answer, Full):
            held = await holding(self._o.store, answer)
            refusal = from_full(answer, decision.limits, decision_id, held)
        elif isinstance(answer, Frozen | Cooling):
            refusal = from_standing(answer, decision_id)
        elif isinstance(answer, Unapproved):
            refusal = self._o.asker.unapproved(answer.row, decision_id, call)
        elif isinstance(answer, Repeated):
            return await self._repeated(call, judged, decision_id, answer.job)
        else:
            self._o.clerk.tell(record)
            return None
        await self._o.clerk.refuse(call, judged.loaded, rows.of_refusal(record, refusal))
        raise refusal
