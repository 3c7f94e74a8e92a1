"""The gate: decides, reserves, writes down, and hands out the permit that the host demands.

Deciding is pure and may be done any number of times; only *admit* has effects. Whatever goes wrong
here refuses: a state that cannot be written, a reservation that does not fit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from comfy_mcp.errors import ComfyMCPError, Refused, StateError
from comfy_mcp.guard.catalog import TOOLS, ToolClass, canonical
from comfy_mcp.guard.decide import AppliedLimit, Decision, Effect, Question, decide, listed
from comfy_mcp.guard.denial import from_decision, from_full, unwritable
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.permit import StopPermit, SubmitPermit
from comfy_mcp.store.protocol import Admission, Charge, Full, NewJob, SlotCap, Store

__all__ = ["Call", "Gate", "Granted"]

log = logging.getLogger(__name__)

MAX_NAME = 128
"""Characters of a called name that are written down: anybody may call anything."""

Reconcile = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call about to happen.

    *tool* is the name it was called by; *args* maps argument names to digests of their values (the
    audit log keeps no values); *job* is the job a submit would make; *target* is the job the call
    is about and *owner* whose it is; *stop_ms* is how long that job may be stopped.
    """

    tool: str
    grant: str
    transport: str = "stdio"
    client: str | None = None
    args: Mapping[str, str] = field(default_factory=dict[str, str])
    job: NewJob | None = None
    target: str | None = None
    owner: str | None = None
    stop_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """Leave to do what was asked; the permits are there where the call needs them."""

    decision_id: str
    submit: SubmitPermit | None = None
    stop: StopPermit | None = None


class Gate:
    """One policy over one store."""

    def __init__(
        self,
        loaded: Loaded,
        store: Store,
        *,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
        reconcile: Reconcile,
    ) -> None:
        self.loaded = loaded
        self._store = store
        self._now_ms = now_ms
        self._new_id = new_id
        self._reconcile = reconcile
        self._tasks: set[asyncio.Task[Any]] = set()

    def listed(self, tool: str) -> bool:
        """Whether *tool* is shown to callers."""
        return listed(self.loaded.policy, tool)

    def hidden(self, tool: str) -> bool:
        """Whether *tool* must seem not to exist."""
        return self.decide(Question(tool, "")).code == "not_listed"

    async def note_hidden(self, call: Call) -> None:
        """Write down that somebody called a tool that must seem not to exist."""
        try:
            await self.screen(call)
        except Refused:
            return

    async def screen(self, call: Call) -> None:
        """Refuse what the policy denies whatever the call is about, before anything is read.

        Raises:
            Denied: the policy says no.
            ApprovalNeeded: a person has to decide first.
        """
        decision = self.decide(Question(call.tool, call.grant, call.owner))
        if decision.effect is not Effect.ALLOW:
            await self._take(call, decision, f"dec_{self._new_id()}")

    def decide(self, question: Question) -> Decision:
        """What the policy says, without any effect."""
        return decide(self.loaded.policy, question)

    @asynccontextmanager
    async def admit(self, call: Call) -> AsyncGenerator[Granted]:
        """Decide, reserve and write down; then the body runs, and its outcome is written down.

        Raises:
            Denied: the policy says no, or the state cannot be written.
            RateLimited: a limit or the number of unfinished jobs leaves no room.
            ApprovalNeeded: a person has to decide first.
        """
        decision_id = f"dec_{self._new_id()}"
        decision = self.decide(Question(call.tool, call.grant, call.owner))
        written = await self._take_whole(call, decision, decision_id)
        outcome = "error"
        try:
            yield self._granted(call, decision_id)
            outcome = "ok"
        except ComfyMCPError as error:
            outcome = error.code
            raise
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled_by_client"
            raise
        finally:
            if written:
                with anyio.CancelScope(shield=True):
                    await self._write_outcome(call, decision_id, outcome)

    async def _take_whole(self, call: Call, decision: Decision, decision_id: str) -> bool:
        """As *_take*, in a task of its own: a caller that gives up must not tear it apart.

        What was reserved for a caller that is gone is given back and written down.
        """
        taking = self._keep(asyncio.create_task(self._take(call, decision, decision_id)))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            undoing = self._keep(asyncio.create_task(self._undo(taking, call, decision_id)))
            with anyio.CancelScope(shield=True):
                await asyncio.shield(undoing)
            raise

    async def _undo(self, taking: asyncio.Task[bool], call: Call, decision_id: str) -> None:
        """Give back the slot of a job that nobody will submit."""
        try:
            written = await taking
            if written and call.job is not None:
                await self._store.move_job(call.job.prompt_id, "refused", self._now_ms())
        except (Refused, StateError):
            # Nothing was taken, and a refusal was written down where it was made.
            return
        if written:
            await self._write_outcome(call, decision_id, "cancelled_by_client")

    def _keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        """Hold on to a task until it is done: the loop itself does not."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _take(self, call: Call, decision: Decision, decision_id: str) -> bool:
        """Reserve what the call takes; False for a read that could not be written down."""
        record = self._record(call, decision, decision_id)
        try:
            if decision.effect is not Effect.ALLOW:
                await self._store.record(self._now_ms(), record)
                raise from_decision(decision, decision_id)
            await self._reserve(call, decision, decision_id, record)
        except StateError:
            log.exception("The guard's state cannot be used.")
            if decision.effect is not Effect.ALLOW:
                raise from_decision(decision, decision_id) from None
            if TOOLS.get(canonical(call.tool)) is not ToolClass.READ:
                raise unwritable(decision_id) from None
            return False
        return True

    async def _reserve(
        self, call: Call, decision: Decision, decision_id: str, record: Mapping[str, Any]
    ) -> None:
        admission = Admission(
            decision_id=decision_id,
            now_ms=self._now_ms(),
            record=record,
            charges=tuple(_charge(limit, call.grant) for limit in decision.limits),
            slots=_slots(call, decision),
            job=call.job,
        )
        answer = await self._store.admit(admission)
        if isinstance(answer, Full) and isinstance(answer.cause, SlotCap):
            await self._reconcile(call.grant)
            answer = await self._store.admit(admission)
        if isinstance(answer, Full):
            refusal = from_full(
                answer, decision.limits, decision_id, await self._unfinished(answer)
            )
            await self._store.record(self._now_ms(), _refused(record, refusal))
            raise refusal

    async def _unfinished(self, full: Full) -> tuple[str, ...]:
        """The caller's jobs that hold the slots."""
        if not isinstance(full.cause, SlotCap):
            return ()
        rows = await self._store.unfinished(host=full.cause.host, grant=full.cause.grant)
        return tuple(row.prompt_id for row in rows)

    def _granted(self, call: Call, decision_id: str) -> Granted:
        submit = stop = None
        if call.job is not None:
            submit = SubmitPermit(
                decision_id=decision_id, prompt_id=call.job.prompt_id, digest=call.job.digest
            )
        if call.target is not None and call.stop_ms is not None:
            stop = StopPermit(
                decision_id=decision_id,
                prompt_id=call.target,
                deadline_ms=self._now_ms() + call.stop_ms,
            )
        return Granted(decision_id, submit, stop)

    def _record(self, call: Call, decision: Decision, decision_id: str) -> dict[str, Any]:
        tool = canonical(call.tool)
        return {
            "kind": "decision",
            "decision_id": decision_id,
            "grant": call.grant,
            "transport": call.transport,
            "client": call.client,
            "tool": tool[:MAX_NAME],
            "class": TOOLS.get(tool),
            "args": dict(call.args),
            "decision": decision.effect.value,
            "code": decision.code,
            "rule": decision.hidden_by or decision.rule,
            "policy": self.loaded.revision,
            "prompt_id": call.job.prompt_id if call.job else call.target,
            "workflow": call.job.workflow if call.job else None,
            "digest": call.job.digest if call.job else None,
        }

    async def _write_outcome(self, call: Call, decision_id: str, outcome: str) -> None:
        record = {
            "kind": "outcome",
            "decision_id": decision_id,
            "tool": canonical(call.tool),
            "outcome": outcome,
        }
        try:
            await self._store.record(self._now_ms(), record)
        except StateError:
            # The effect has happened; its decision row stands without an outcome, and this says so.
            log.exception("The outcome %s of %s could not be written down.", outcome, decision_id)


def _charge(limit: AppliedLimit, grant: str) -> Charge:
    return Charge(
        counter=limit.counter,
        holder=grant if limit.per_grant else "*",
        amount=limit.amount,
        most=limit.most,
        window_ms=limit.window_ms,
        rule=limit.rule,
        calendar=limit.calendar,
    )


def _slots(call: Call, decision: Decision) -> tuple[SlotCap, ...]:
    if call.job is None:
        return ()
    return tuple(
        SlotCap(grant=call.grant, host=call.job.host, most=most, rule=rule)
        for rule, most in decision.max_in_flight
    )


def _refused(record: Mapping[str, Any], refusal: Refused) -> dict[str, Any]:
    denial = refusal.denial
    return {**record, "decision": "deny", "code": denial.code, "rule": denial.rule} | (
        {"limit": denial.limit} if denial.limit else {}
    )
