"""The gate: decides, reserves, writes down, and hands out the permit that the host demands.

Deciding is pure and may be done any number of times; only *admit* and the refusals have effects.
Whatever goes wrong here refuses: a policy that cannot be judged, a state that cannot be written, a
reservation that does not fit.
"""

from __future__ import annotations

import logging
import time
from asyncio import Task
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import tzinfo
from typing import Any

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
from comfy_mcp.guard.asking import Asker, Desk
from comfy_mcp.guard.call import Call, Granted, Status
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.guard.clerk import Clerk, Told
from comfy_mcp.guard.decide import grant_of, listed, prefix_for, wanted
from comfy_mcp.guard.denial import from_full, from_standing, unwritable
from comfy_mcp.guard.granting import Taken, granted, leave_to_stop
from comfy_mcp.guard.hearing import Hearing, Judged
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.many import Many, Offices
from comfy_mcp.guard.matter import Matter
from comfy_mcp.guard.question import Decision, Effect, Prefix
from comfy_mcp.guard.repeat import conflict, earlier, is_same, of_repeat
from comfy_mcp.guard.requests import Requests
from comfy_mcp.guard.room import Reconcile, holding
from comfy_mcp.guard.second_look import changed, of_others, refusal_of, stale
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.guard.standing import status_of
from comfy_mcp.guard.whole import Tasks
from comfy_mcp.permit import StopPermit
from comfy_mcp.store.protocol import (
    ApprovalRow,
    Cooling,
    Frozen,
    Full,
    JobRow,
    Repeated,
    Store,
    Unapproved,
)

__all__ = ["Call", "Gate", "Granted", "Status"]

log = logging.getLogger(__name__)

NOT_OFFERED = "This server does not offer the tool."

OVERTIME_MS = 120_000
"""How long the watchdog may try to stop one job under one permit."""


class Gate:
    """One policy, as new as its files, over one store.

    *clock*: seconds that only rise. *zone* is for ``time.*`` (None: this machine's); *told* hears
    of every audit row of a decision. *host* is the ComfyUI's name in the journal; *parked* hears of
    every new request to a person, *command* makes the shell command that shows one, and *waits*
    says whether calls may wait for an answer. *requests* is what callers have asked people.
    *offered*: the only tools that there are for anybody, whatever the policy allows; None: all.
    """

    def __init__(
        self,
        source: PolicySource,
        store: Store,
        *,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        reconcile: Reconcile,
        clock: Callable[[], float] = time.monotonic,
        zone: tzinfo | None = None,
        told: Told | None = None,
        host: str = "",
        parked: Callable[[ApprovalRow], None] | None = None,
        command: Callable[[str], str] = "comfy-mcp-guard approvals show {}".format,
        waits: bool = True,
        offered: Collection[str] | None = None,
    ) -> None:
        self.source = source
        self._offered = offered
        self._store = store
        desk = Desk(
            store=store,
            host=host,
            now_ms=now_ms,
            new_id=new_id,
            told=parked or _nobody_asked,
            command=command,
            reconcile=reconcile,
            waits=waits,
        )
        self._asker = Asker(desk)
        self.requests = Requests(source, desk)
        self._now_ms = now_ms
        self._new_id = new_id
        self._reconcile = reconcile
        self._clock = clock
        self._hearing = Hearing(source, now_ms, zone)
        self._clerk = Clerk(store, now_ms, told or _nobody)
        self._tasks = Tasks()
        self._many = Many(
            Offices(
                source=source,
                store=store,
                hearing=self._hearing,
                clerk=self._clerk,
                asker=self._asker,
                now_ms=now_ms,
                new_id=new_id,
                reconcile=reconcile,
                clock=clock,
                tasks=self._tasks,
            )
        )

    @property
    def loaded(self) -> Loaded:
        """The policy in force."""
        return self.source.current

    async def refresh(self) -> None:
        """Look whether the policy's files have changed."""
        await self.source.refresh()

    def grant(self, identity: str) -> str:
        """Who *identity* is in journal and counters."""
        return grant_of(self.loaded.policy, identity, self._now_ms()) or identity

    def listed(self, identity: str, tool: str) -> bool:
        """Whether *tool* is shown to this caller."""
        return self.offers(tool) and listed(self.loaded.policy, tool, identity, self._now_ms())

    def hidden(self, identity: str, tool: str) -> bool:
        """Whether *tool* must seem not to exist."""
        return not self.offers(tool) or self.decide(Call(tool, identity, "")).code == "not_listed"

    def offers(self, tool: str) -> bool:
        """Whether this server has *tool* at all; policies can only take away from that."""
        return self._offered is None or canonical(tool) in self._offered

    def wanted(self, call: Call) -> frozenset[str]:
        """Which facts of the graph and of the host rules in force look at."""
        return wanted(self.loaded.policy, call.tool, call.identity)

    def prefix(self, call: Call) -> Prefix | None:
        """What the files of this caller's jobs have to be named like, and the rule that says so."""
        return prefix_for(self.loaded.policy, call.tool, call.identity)

    def decide(self, call: Call, *, final: bool = False) -> Decision:
        """What the policy says, without any effect."""
        return self._hearing.judge(call, final=final).decision

    async def note_hidden(self, call: Call) -> None:
        """Write down that somebody called a tool that must seem not to exist."""
        if not self.offers(call.tool):
            judged = self._hearing.judge(replace(call, args=None), final=False)
            no = replace(refusal_of("not_listed", NOT_OFFERED), grant=judged.decision.grant)
            await self._clerk.refusal(call, replace(judged, decision=no), self._decision_id())
            return
        try:
            await self.screen(call)
        except Refused:
            return

    async def screen(self, call: Call, *, checked: bool = False) -> None:
        """Refuse what is refused whatever the call is about, before anything is read for it.

        *checked*: the arguments are sound and have their defaults, so rules about them count.

        Raises:
            Denied: the policy, or the operator, says no.
            RateLimited: too many refusals.
        """
        judged = self._hearing.judge(call if checked else replace(call, args=None), final=False)
        if judged.decision.effect is Effect.DENY:
            raise await self._clerk.refusal(call, judged, self._decision_id())
        standing = None if checked else await self._clerk.standing(call)
        if standing is not None:
            raise await self._clerk.refusal(call, judged, self._decision_id(), standing)

    @asynccontextmanager
    async def admit(self, call: Call, matter: Matter | None = None) -> AsyncGenerator[Granted]:
        """Decide, reserve and write down; then the body runs, and its outcome is written down.

        Where a person has to decide, *matter* is what the tool knows of the call beside it, and the
        call that is let through may be another than *call*: see `Granted.call`.

        Raises:
            Denied: the policy, the operator or a person says no, or the state cannot be written.
            RateLimited: a limit, a budget or the number of unfinished jobs leaves no room.
            ApprovalNeeded: a person has to decide first.
            AskClient: the client is to be asked first; only where *matter* says that it can be.
            KeyConflict: the job's idempotency key was used for another request.
        """
        if call.job is not None and call.run is None:
            raise AssertionError("a job was to be admitted unmeasured")
        decision_id = self._decision_id()
        call = await self._with_a_person(call, matter or Matter(call), decision_id)
        taken = await self._take_whole(call, decision_id)
        outcome = "error"
        try:
            yield granted(call, decision_id, taken, self._clock())
            outcome = "ok"
        except ComfyMCPError as error:
            outcome = error.code
            raise
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled_by_client"
            raise
        finally:
            if taken.written:
                with anyio.CancelScope(shield=True):
                    await self._clerk.outcome(call, decision_id, outcome)

    @asynccontextmanager
    async def admit_many(self, call: Call, matter: Matter | None = None) -> AsyncGenerator[Granted]:
        """As `admit`, for a call with variants: all of them, or none.

        Each variant is judged as the run that it is, and under the rules for *call*, which is
        judged once. All is reserved in one step. A person is asked once, about the whole.

        Raises:
            What `admit` raises; the reason names the variant that it is about.
        """
        async with self._many.admit(call, matter or Matter(call)) as leave:
            yield leave

    async def approved_args(self, call: Call, approval_id: str) -> Mapping[str, Any]:
        """The arguments of the call of its own that *approval_id* stands for.

        Raises:
            Refused: there is none, or it lets nothing through any more; written down.
        """
        decision_id = self._decision_id()
        try:
            return await self._asker.args_of(call, approval_id, decision_id)
        except Refused as refusal:
            judged = self._hearing.judge(replace(call, args=None), final=False)
            await self._clerk.refused(call, judged.decision, decision_id, judged.loaded, refusal)
            raise
        except StateError:
            log.exception("The guard's state cannot be used.")
            raise unwritable(decision_id) from None

    async def overtime(self, row: JobRow) -> StopPermit:
        """Leave to stop a job that has run longer than the policy let it; written down first.

        Raises:
            StateError: it cannot be written down.
        """
        decision_id = self._decision_id()
        record = rows.of_overtime(row, decision_id, self.loaded.revision)
        now_ms = self._now_ms()
        await self._store.record(now_ms, record)
        return leave_to_stop(decision_id, [row.prompt_id], at_s=self._clock(), for_ms=OVERTIME_MS)

    async def status(self, call: Call, host: str) -> Status:
        """How the caller stands with every tool it sees; *host* is where its jobs run.

        Raises:
            StateError: the state cannot be read.
        """
        return await status_of(self, self._store, call, host, self._now_ms())

    def _decision_id(self) -> str:
        return f"dec_{self._new_id()}"

    async def _with_a_person(self, call: Call, matter: Matter, decision_id: str) -> Call:
        """*call* itself, or the one that a person let through, where one has to be asked.

        Whatever became of the policy by the time of the yes: the whole call is judged again then.
        """
        judged = self._hearing.judge(call, final=True)
        if judged.decision.effect is not Effect.APPROVAL or judged.decision.grant != call.grant:
            return call
        try:
            if await earlier(self._store, call) is not None:
                # It gets its job: nothing is left to be decided.
                return call
            if await of_others(self._store, call) is not None:
                # It is refused where it is taken, and nobody is asked about it.
                return call
            return await self._asker.leave(
                call, judged.decision, judged.loaded, matter, decision_id
            )
        except (ApprovalNeeded, Denied, RateLimited) as refusal:
            await self._clerk.refused(call, judged.decision, decision_id, judged.loaded, refusal)
            raise
        except StateError:
            log.exception("The guard's state cannot be used.")
            raise unwritable(decision_id) from None

    async def _take_whole(self, call: Call, decision_id: str) -> Taken:
        """As *_take*, but never torn apart: what a caller that gave up took is given back."""
        return await self._tasks.whole(
            self._take(call, decision_id), lambda taking: self._undo(taking, call, decision_id)
        )

    async def _undo(self, taking: Task[Taken], call: Call, decision_id: str) -> None:
        """Give back the slot of a job that nobody will submit."""
        try:
            taken = await taking
            if taken.written and call.job is not None and taken.repeated is None:
                await self._store.move_job(call.job.prompt_id, "refused", self._now_ms())
        except (Refused, KeyConflict, StateError):
            # Nothing was taken, and a refusal was written down where it was made.
            return
        if taken.written:
            await self._clerk.outcome(call, decision_id, "cancelled_by_client")

    async def _take(self, call: Call, decision_id: str) -> Taken:
        """Reserve what the call takes, or find what an earlier one with the same key took."""
        # Right before anything is reserved: an edit that was saved by now counts.
        await self.source.refresh()
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
        judged = self._hearing.judge(call, final=True)
        if judged.decision.effect is Effect.DENY:
            raise await self._clerk.refusal(call, judged, decision_id)
        no = (
            changed(call, judged.decision)
            or await of_others(self._store, call)
            or stale(call, judged.decision, judged.loaded.revision)
        )
        if no is not None:
            raise await self._clerk.refusal(call, replace(judged, decision=no), decision_id)
        return judged

    async def _again(self, call: Call, decision_id: str) -> JobRow | None:
        """The job of an earlier call with the same key, whatever limits are full by now.

        Raises:
            Refused: the caller may not call the tool, or not like this.
            KeyConflict: the key was used for another request.
            StateError: the journal cannot be read.
        """
        row = await earlier(self._store, call)
        if row is None:
            return None
        # Nothing is run: rules about graphs and limits have had their say when it was.
        judged = self._hearing.judge(replace(call, run=None, job=None), final=False)
        standing = await self._clerk.standing(call)
        if standing is not None or judged.decision.effect is Effect.DENY:
            raise await self._clerk.refusal(call, judged, decision_id, standing)
        no = changed(call, judged.decision)
        if no is not None:
            raise await self._clerk.refusal(call, replace(judged, decision=no), decision_id)
        return await self._repeated(call, judged, decision_id, row)

    async def _repeated(self, call: Call, judged: Judged, decision_id: str, row: JobRow) -> JobRow:
        """Write the repeat down; another request under the same key is refused."""
        record = of_repeat(call, judged.decision, decision_id, judged.loaded.revision, row)
        if not is_same(call, row):
            await self._clerk.refuse(call, judged.loaded, record)
            raise conflict(row)
        await self._store.record(self._now_ms(), record)
        self._clerk.tell(record)
        return row

    async def _reserve(self, call: Call, judged: Judged, decision_id: str) -> JobRow | None:
        decision = judged.decision
        record = rows.of_decision(call, decision, decision_id, judged.loaded.revision)
        taken = admission(call, decision, decision_id, self._now_ms(), record)
        answer = await self._store.admit(taken)
        if isinstance(answer, Full) and may_be_over(answer):
            await self._reconcile(call.grant)
            answer = await self._store.admit(replace(taken, now_ms=self._now_ms()))
        if isinstance(answer, Full):
            held = await holding(self._store, answer)
            refusal = from_full(answer, decision.limits, decision_id, held)
        elif isinstance(answer, Frozen | Cooling):
            refusal = from_standing(answer, decision_id)
        elif isinstance(answer, Unapproved):
            refusal = self._asker.unapproved(answer.row, decision_id, call)
        elif isinstance(answer, Repeated):
            return await self._repeated(call, judged, decision_id, answer.job)
        else:
            self._clerk.tell(record)
            return None
        await self._clerk.refuse(call, judged.loaded, rows.of_refusal(record, refusal))
        raise refusal


def _nobody(_record: Mapping[str, Any]) -> None:
    """Nobody wants to hear of decisions."""


def _nobody_asked(_row: ApprovalRow) -> None:
    """Nobody wants to hear of requests to a person."""
