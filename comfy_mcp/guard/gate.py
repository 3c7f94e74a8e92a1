"""The gate: decides, reserves, writes down, and hands out the permit that the host demands.

Deciding is pure and may be done any number of times; only *admit* and the refusals have effects.
Whatever goes wrong here refuses: a policy that cannot be judged, a state that cannot be written, a
reservation that does not fit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from comfy_mcp.errors import (
    Refused,
    StateError,
)
from comfy_mcp.guard import record as rows
from comfy_mcp.guard.asking import Asker, Desk
from comfy_mcp.guard.call import Call, Granted, Status
from comfy_mcp.guard.catalog import TOOLS, canonical
from comfy_mcp.guard.clerk import Clerk, Told
from comfy_mcp.guard.decide import grant_of, listed, prefix_for, wanted
from comfy_mcp.guard.denial import from_standing, unwritable
from comfy_mcp.guard.granting import leave_to_stop
from comfy_mcp.guard.hearing import Hearing
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.many import Many
from comfy_mcp.guard.matter import Matter
from comfy_mcp.guard.offices import Offices
from comfy_mcp.guard.question import Decision, Effect, Prefix
from comfy_mcp.guard.requests import Requests
from comfy_mcp.guard.room import Reconcile
from comfy_mcp.guard.second_look import refusal_of
from comfy_mcp.guard.single import Single
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.guard.standing import status_of
from comfy_mcp.permit import StopPermit
from comfy_mcp.store.protocol import (
    ApprovalRow,
    Frozen,
    JobRow,
    Store,
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
        self.requests = Requests(source, desk)
        self._o = Offices(
            source=source,
            store=store,
            hearing=Hearing(source, now_ms, zone),
            clerk=Clerk(store, now_ms, told or _nobody),
            asker=Asker(desk),
            now_ms=now_ms,
            new_id=new_id,
            reconcile=reconcile,
            clock=clock,
        )
        self._single = Single(self._o)
        self._many = Many(self._o)

    @property
    def loaded(self) -> Loaded:
        """The policy in force."""
        return self.source.current

    async def refresh(self) -> None:
        """Look whether the policy's files have changed."""
        await self.source.refresh()

    def grant(self, identity: str) -> str:
        """Who *identity* is in journal and counters."""
        return grant_of(self.loaded.policy, identity, self._o.now_ms()) or identity

    def listed(self, identity: str, tool: str) -> bool:
        """Whether *tool* is shown to this caller."""
        return self.offers(tool) and listed(self.loaded.policy, tool, identity, self._o.now_ms())

    def hidden(self, identity: str, tool: str) -> bool:
        """Whether *tool* must seem not to exist."""
        return not self.offers(tool) or self.decide(Call(tool, identity, "")).code == "not_listed"

    def offers(self, tool: str) -> bool:
        """Whether this server has *tool* at all; policies can only take away from that.

        Of a name that no server has the policy says what is answered.
        """
        name = canonical(tool)
        return self._offered is None or name in self._offered or name not in TOOLS

    def wanted(self, call: Call) -> frozenset[str]:
        """Which facts of the graph and of the host rules in force look at."""
        return wanted(self.loaded.policy, call.tool, call.identity)

    def prefix(self, call: Call) -> Prefix | None:
        """What the files of this caller's jobs have to be named like, and the rule that says so."""
        return prefix_for(self.loaded.policy, call.tool, call.identity)

    def decide(self, call: Call, *, final: bool = False) -> Decision:
        """What the policy says, without any effect."""
        return self._o.hearing.judge(call, final=final).decision

    async def note_hidden(self, call: Call) -> None:
        """Write down that somebody called a tool that must seem not to exist."""
        if not self.offers(call.tool):
            judged = self._o.hearing.judge(replace(call, args=None), final=False)
            no = replace(refusal_of("not_listed", NOT_OFFERED), grant=judged.decision.grant)
            await self._o.clerk.refusal(call, replace(judged, decision=no), self._o.decision_id())
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
        judged = self._o.hearing.judge(call if checked else replace(call, args=None), final=False)
        if judged.decision.effect is Effect.DENY:
            raise await self._o.clerk.refusal(call, judged, self._o.decision_id())
        standing = None if checked else await self._o.clerk.standing(call)
        if standing is not None:
            raise await self._o.clerk.refusal(call, judged, self._o.decision_id(), standing)

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
        async with self._single.admit(call, matter or Matter(call)) as leave:
            yield leave

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

    async def withdrawn(self, call: Call) -> str | None:
        """Why what *call* was let through to do may go on no further, in words; None: it may.

        For what is done bit by bit: meanwhile the operator may have frozen the caller, or have
        edited the policy, or the caller's grant may have ended.
        """
        await self.source.refresh()
        for tool in dict.fromkeys((call.tool, *(one.tool for one in call.variants))):
            named = Call(tool, call.identity, call.grant, call.transport, call.client)
            decision = self.decide(named)
            if decision.effect is Effect.DENY or decision.grant != call.grant:
                return decision.reason
        standing = await self._o.clerk.standing(call)
        # A cool-down is about calls, and this one was made before.
        return from_standing(standing, "").denial.reason if isinstance(standing, Frozen) else None

    async def approved_args(self, call: Call, approval_id: str) -> Mapping[str, Any]:
        """The arguments of the call of its own that *approval_id* stands for.

        Raises:
            Refused: there is none, or it lets nothing through any more; written down.
        """
        decision_id = self._o.decision_id()
        try:
            return await self._o.asker.args_of(call, approval_id, decision_id)
        except Refused as refusal:
            judged = self._o.hearing.judge(replace(call, args=None), final=False)
            await self._o.clerk.refused(call, judged.decision, decision_id, judged.loaded, refusal)
            raise
        except StateError:
            log.exception("The guard's state cannot be used.")
            raise unwritable(decision_id) from None

    async def overtime(self, row: JobRow) -> StopPermit:
        """Leave to stop a job that has run longer than the policy let it; written down first.

        Raises:
            StateError: it cannot be written down.
        """
        decision_id = self._o.decision_id()
        record = rows.of_overtime(row, decision_id, self.loaded.revision)
        now_ms = self._o.now_ms()
        await self._o.store.record(now_ms, record)
        return leave_to_stop(decision_id, [row.prompt_id], at_s=self._o.clock(), for_ms=OVERTIME_MS)

    async def status(self, call: Call, host: str) -> Status:
        """How the caller stands with every tool it sees; *host* is where its jobs run.

        Raises:
            StateError: the state cannot be read.
        """
        return await status_of(self, self._o.store, call, host, self._o.now_ms())


def _nobody(_record: Mapping[str, Any]) -> None:
    """Nobody wants to hear of decisions."""


def _nobody_asked(_row: ApprovalRow) -> None:
    """Nobody wants to hear of requests to a person."""
