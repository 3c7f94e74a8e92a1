"""Admits a call that makes many runs: judged, reserved and written down as a whole, or not."""

from __future__ import annotations

import logging
from asyncio import Task
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

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
from comfy_mcp.guard.admission import admission, may_be_over
from comfy_mcp.guard.call import Call, Granted
from comfy_mcp.guard.denial import from_standing, unwritable
from comfy_mcp.guard.denial_together import from_together
from comfy_mcp.guard.granting import Taken, granted
from comfy_mcp.guard.hearing import Judged
from comfy_mcp.guard.matter import Matter
from comfy_mcp.guard.offices import Offices
from comfy_mcp.guard.question import Effect
from comfy_mcp.guard.repeat import conflict_of_sweep, of_repeated_sweep
from comfy_mcp.guard.room import holding
from comfy_mcp.guard.second_look import changed, stale
from comfy_mcp.guard.variants import Verdicts, judged
from comfy_mcp.store.protocol import (
    Admission,
    AdmittedTogether,
    Cooling,
    Frozen,
    Full,
    RepeatedSweep,
    SweepRow,
    TogetherRefused,
    Unapproved,
)

__all__ = ["Many"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Case:
    """A call, and the ids of the decisions about it and its variants."""

    call: Call
    decision_id: str
    ids: tuple[str, ...]


class Many:
    """As `Single`, for a call with variants."""

    def __init__(self, offices: Offices) -> None:
        self._o = offices

    @asynccontextmanager
    async def admit(self, call: Call, matter: Matter) -> AsyncGenerator[Granted]:
        """Decide, reserve and write down all of it; then the body runs."""
        if call.sweep is None or not all(one.job and one.run for one in call.variants):
            raise AssertionError("variants were to be admitted unmeasured")
        decision_id = self._o.decision_id()
        call = await self._with_a_person(call, matter, decision_id)
        case = _Case(call, decision_id, tuple(self._o.decision_id() for _ in call.variants))
        repeated = await self._o.tasks.whole(
            self._take(case), lambda taking: self._undo(taking, case)
        )
        leave = self._leave(case, repeated)
        outcome = "error"
        try:
            yield leave
            outcome = "ok"
        except ComfyMCPError as error:
            outcome = error.code
            raise
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled_by_client"
            raise
        finally:
            await self._o.tasks.finished(self._outcomes(outcome, leave))

    def _leave(self, case: _Case, repeated: SweepRow | None) -> Granted:
        at_s = self._o.clock()
        whole = granted(case.call, case.decision_id, Taken(written=True), at_s)
        if repeated is not None:
            return replace(whole, sweep=repeated)
        taken = Taken(written=True)
        pairs = zip(case.call.variants, case.ids, strict=True)
        return replace(whole, variants=tuple(granted(one, its, taken, at_s) for one, its in pairs))

    async def _outcomes(self, outcome: str, leave: Granted) -> None:
        """One row for the call and for each of its runs."""
        runs = (
            (one.call, one.decision_id, leave.noted.get(index, outcome))
            for index, one in enumerate(leave.variants)
        )
        await self._o.clerk.outcomes([(leave.call, leave.decision_id, outcome), *runs])

    async def _with_a_person(self, call: Call, matter: Matter, decision_id: str) -> Call:
        """*call* itself, or the one that a person let through, where one has to be asked."""
        o = self._o
        found = judged(o.hearing, call)
        decision = found.whole.decision
        if decision.effect is not Effect.APPROVAL or decision.grant != call.grant:
            return call
        try:
            if await self._earlier(call) is not None:
                return call
            room = partial(self._room, call, found, decision_id)
            return await o.asker.leave(
                call, decision, found.whole.loaded, matter, decision_id, room=room
            )
        except (ApprovalNeeded, Denied, RateLimited) as refusal:
            await o.clerk.refused(call, decision, decision_id, found.whole.loaded, refusal)
            raise
        except StateError:
            log.exception("The guard's state cannot be used.")
            raise unwritable(decision_id) from None

    async def _take(self, case: _Case) -> SweepRow | None:
        """Reserve what all takes, or find what an earlier call with the same key made."""
        # Right before anything is reserved: an edit that was saved by now counts.
        await self._o.source.refresh()
        try:
            row = await self._earlier(case.call)
            if row is not None:
                return await self._again(case, row)
            return await self._reserve(case, await self._allowed(case))
        except StateError:
            log.exception("The guard's state cannot be used.")
            raise unwritable(case.decision_id) from None

    async def _earlier(self, call: Call) -> SweepRow | None:
        """The sweep that an earlier call with the key of *call* made."""
        sweep = call.sweep
        if sweep is None or not sweep.key:
            return None
        return await self._o.store.keyed_sweep(sweep.host, sweep.grant, sweep.key)

    async def _again(self, case: _Case, row: SweepRow) -> SweepRow:
        """The sweep of an earlier call, if the caller may still make such a call at all."""
        call, clerk = case.call, self._o.clerk
        found = self._o.hearing.judge(replace(call, variants=()), final=False)
        standing = await clerk.standing(call)
        if standing is not None or found.decision.effect is Effect.DENY:
            raise await clerk.refusal(call, found, case.decision_id, standing)
        no = changed(call, found.decision)
        if no is not None:
            raise await clerk.refusal(call, replace(found, decision=no), case.decision_id)
        return await self._repeated(case, found, row)

    async def _repeated(self, case: _Case, found: Judged, row: SweepRow) -> SweepRow:
        """Write the repeat down; another request under the same key is refused."""
        call, clerk = case.call, self._o.clerk
        record = of_repeated_sweep(
            call, found.decision, case.decision_id, found.loaded.revision, row
        )
        if record["code"] == KeyConflict.code:
            await clerk.refuse(call, found.loaded, record)
            raise conflict_of_sweep(row)
        await self._o.store.record(self._o.now_ms(), record)
        clerk.tell(record)
        return row

    async def _allowed(self, case: _Case) -> Verdicts:
        """The policy's yes to the whole call.

        Raises:
            Refused: it says something else.
        """
        call = case.call
        found = judged(self._o.hearing, call)
        whole = found.whole
        if whole.decision.effect is not Effect.DENY:
            no = changed(call, whole.decision) or stale(call, whole.decision, whole.loaded.revision)
            if no is None:
                return found
            whole = replace(whole, decision=no)
        raise await self._o.clerk.refusal(call, whole, case.decision_id, variant=found.variant)

    def _admissions(self, case: _Case, found: Verdicts) -> tuple[Admission, ...]:
        """What the call takes, and then what each of its runs takes."""
        now_ms, revision = self._o.now_ms(), found.whole.loaded.revision
        call = case.call
        sweep_id = call.sweep.sweep_id if call.sweep else ""
        decision = found.whole.decision
        record = rows.of_decision(call, decision, case.decision_id, revision)
        taken = [admission(call, decision, case.decision_id, now_ms, record)]
        each = zip(call.variants, found.runs, case.ids, strict=True)
        for index, (one, own, its) in enumerate(each):
            approved = replace(one, spend=call.spend)
            record = rows.of_decision(approved, own, its, revision)
            record |= {"sweep": sweep_id, "variant": index + 1}
            # The yes to the whole is spent once, by the call.
            taken.append(admission(one, own, its, now_ms, record))
        return tuple(taken)

    async def _room(self, call: Call, found: Verdicts, decision_id: str) -> None:
        """Nobody is asked about a call that would not fit."""
        o, ids = self._o, ("",) * len(call.variants)
        taken = self._admissions(_Case(call, decision_id, ids), found)
        refused = await o.store.would_fit(taken)
        if _may_be_over(refused):
            await o.reconcile(call.grant)
            refused = await o.store.would_fit(taken)
        if refused is not None and isinstance(refused.answer, Full):
            raise await self._too_full(taken, found, refused, refused.answer, decision_id)

    async def _too_full(
        self,
        taken: tuple[Admission, ...],
        found: Verdicts,
        refused: TogetherRefused,
        full: Full,
        decision_id: str,
    ) -> Refused:
        held = await holding(self._o.store, refused.slot or full)
        limits = [found.whole.decision.limits, *(one.limits for one in found.runs)]
        flat = tuple(limit for some in limits for limit in some)
        return from_together(refused, full, taken, flat, decision_id=decision_id, jobs=held)

    async def _reserve(self, case: _Case, found: Verdicts) -> SweepRow | None:
        o, call = self._o, case.call
        taken = self._admissions(case, found)
        answer = await o.store.admit_together(taken, call.sweep)
        if _may_be_over(answer):
            await o.reconcile(call.grant)
            again = tuple(replace(one, now_ms=o.now_ms()) for one in taken)
            answer = await o.store.admit_together(again, call.sweep)
        if isinstance(answer, RepeatedSweep):
            return await self._repeated(case, found.whole, answer.sweep)
        if isinstance(answer, AdmittedTogether):
            for one in taken:
                o.clerk.tell(one.record)
            return None
        refusal = await self._refusal(case, found, answer, taken)
        loaded = found.whole.loaded
        await o.clerk.refuse(call, loaded, rows.of_refusal(taken[0].record, refusal))
        raise refusal

    async def _refusal(
        self,
        case: _Case,
        found: Verdicts,
        answer: TogetherRefused,
        taken: tuple[Admission, ...],
    ) -> Refused:
        why, call, decision_id = answer.answer, case.call, case.decision_id
        if isinstance(why, Full):
            return await self._too_full(taken, found, answer, why, decision_id)
        if isinstance(why, Frozen | Cooling):
            return from_standing(why, decision_id)
        if isinstance(why, Unapproved):
            return self._o.asker.unapproved(why.row, decision_id, call)
        raise AssertionError("a variant has no key of its own")

    async def _undo(self, taking: Task[SweepRow | None], case: _Case) -> None:
        """Give back the slots of jobs that nobody will submit."""
        try:
            if await taking is None:
                for one in case.call.variants:
                    if one.job is not None:
                        await self._o.store.move_job(one.job.prompt_id, "refused", self._o.now_ms())
        except (Refused, KeyConflict, StateError):
            # Nothing was taken, and a refusal was written down where it was made.
            return
        await self._outcomes("cancelled_by_client", self._leave(case, None))


def _may_be_over(answer: object) -> bool:
    """Jobs that have ended unnoticed may hold what is missing."""
    return (
        isinstance(answer, TogetherRefused)
        and isinstance(answer.answer, Full)
        and (answer.slot is not None or may_be_over(answer.answer))
    )
