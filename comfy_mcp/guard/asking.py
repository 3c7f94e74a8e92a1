"""Asks a person: parks the call, waits a while, and turns the yes into what the gate can spend.

The deciding itself happens elsewhere, in the operator's hands, through the store that all share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio

from comfy_mcp.errors import Refused
from comfy_mcp.guard import refusals
from comfy_mcp.guard.admission import admission
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.catalog import TOOLS, canonical
from comfy_mcp.guard.denial import from_full
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.matter import BY_ID, Matter, asked_args
from comfy_mcp.guard.question import Asking, Decision
from comfy_mcp.guard.room import Reconcile, holding, too_full
from comfy_mcp.guard.waiting import until_decided
from comfy_mcp.store.asked import APPROVED, CALL, PENDING
from comfy_mcp.store.protocol import (
    ApprovalRow,
    NewApproval,
    Parked,
    Spend,
    Store,
)
from comfy_mcp.workflow import digest

__all__ = ["CLIENT_MAY", "AskClient", "Asker", "Desk"]

ELICITATION = "elicitation"

CLIENT_MAY = frozenset({ELICITATION, "any"})
"""Channels by which a client may answer for its user."""


Room = Callable[[], Awaitable[None]]
"""Refuses a call that would not fit at the moment; takes nothing."""


class AskClient(Exception):
    """The client is to be asked about *row* before the operator is waited for."""

    def __init__(self, row: ApprovalRow) -> None:
        super().__init__(row.approval_id)
        self.row = row


@dataclass(frozen=True, slots=True)
class Desk:
    """What asking needs of the rest of the server.

    *host* is the name of the ComfyUI in the journal; *new_id* makes ids, *told* hears of every new
    request, *command* makes the shell command that shows one; *reconcile* frees what jobs hold that
    have ended unnoticed. Calls wait for an answer only if it *waits*.
    """

    store: Store
    host: str
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    told: Callable[[ApprovalRow], None]
    command: Callable[[str], str]
    reconcile: Reconcile
    waits: bool = True


class Asker:
    """Finds, parks and waits for the person's word on single calls."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def leave(
        self,
        call: Call,
        decision: Decision,
        loaded: Loaded,
        matter: Matter,
        decision_id: str,
        *,
        room: Room | None = None,
    ) -> Call:
        """The call that a person let through, with the yes that is to be spent for it.

        *room* refuses a call that would not fit, so that nobody is asked about it; None: as what
        *decision* alone takes.

        Raises:
            ApprovalNeeded: nobody has decided yet.
            Denied: a person said no, or the request cannot be made.
            RateLimited: it would not fit anyway.
            AskClient: the client is to be asked first.
            StateError: the state cannot be used.
        """
        bound = await matter.bound()
        room = room or partial(self._room, call, decision, decision_id)
        row, is_new = await self._row(
            call, decision, loaded, matter, room=room, decision_id=decision_id, bound=bound
        )
        if row.status == PENDING and matter.asks_client and row.channel in CLIENT_MAY:
            raise AskClient(row)
        # Where the client is to answer, the operator may, but nobody waits for that.
        if row.status == PENDING and row.channel != ELICITATION:
            row = await self._wait(row, call, loaded, matter)
            if row.status == APPROVED and await matter.bound() != bound:
                # Swapped while the person looked at it: the next call asks about what is there now.
                raise refusals.outdated(decision_id)
        if row.status == APPROVED:
            if await _digest(row.payload) != row.effect:
                # Somebody edited the state: the log says what the person was asked about.
                raise refusals.outdated(decision_id)
            return replace(await matter.remade(row), spend=_spend(row))
        raise self.refusal(row, decision_id, call, is_new=is_new)

    def refusal(
        self, row: ApprovalRow, decision_id: str, call: Call, *, is_new: bool = False
    ) -> Refused:
        """Why *row* lets nothing through now."""
        return refusals.of_row(
            row,
            decision_id,
            is_new=is_new,
            now_ms=self._desk.now_ms(),
            command=self._desk.command(row.approval_id),
            by_id=canonical(call.tool) == BY_ID,
        )

    def unapproved(self, row: ApprovalRow | None, decision_id: str, call: Call) -> Refused:
        """Why a yes could not be spent that was there a moment ago."""
        if row is None or row.status in {PENDING, APPROVED}:
            return refusals.outdated(decision_id)
        return self.refusal(row, decision_id, call)

    async def args_of(self, call: Call, approval_id: str, decision_id: str) -> Mapping[str, Any]:
        """The arguments of the call that *approval_id* stands for, if it may still let it through.

        Raises:
            Denied: it is unknown, another's, for another tool, or over.
            StateError: the state cannot be read.
        """
        desk = self._desk
        row = await desk.store.approval(approval_id, desk.now_ms(), grant=call.grant)
        if row is None or row.kind != CALL or row.tool != canonical(call.tool):
            raise refusals.unknown(approval_id, decision_id)
        if row.status not in {PENDING, APPROVED}:
            raise self.refusal(row, decision_id, call)
        args: Mapping[str, Any] = row.payload["args"]
        return args

    async def _row(
        self,
        call: Call,
        decision: Decision,
        loaded: Loaded,
        matter: Matter,
        *,
        room: Room,
        decision_id: str,
        bound: Mapping[str, Any],
    ) -> tuple[ApprovalRow, bool]:
        """The request that stands for *call*, made now if there is none."""
        desk, asking = self._desk, _asking(decision)
        match = await _digest(
            {
                "tool": canonical(call.tool),
                "args": asked_args(call),
                "target": call.target,
                "bound": dict(bound),
                # Rules can look at the clock: an answer is for those that asked for it.
                "asks": [asking.channel, *sorted(asking.reasons)],
            }
        )
        row = await desk.store.standing_approval(desk.now_ms(), call.grant, desk.host, CALL, match)
        if row is not None and (
            row.status not in {PENDING, APPROVED} or row.policy == loaded.revision
        ):
            return row, False
        await room()
        new = await self._new(call, asking, loaded, matter, match)
        record = _requested(new, decision_id)
        most = loaded.policy.approvals.most_pending
        parked = await desk.store.park(desk.now_ms(), new, record, most=most)
        if not isinstance(parked, Parked):
            raise refusals.not_parked(parked, decision_id)
        if parked.is_new:
            desk.told(parked.row)
        return parked.row, parked.is_new

    async def _new(
        self, call: Call, asking: Asking, loaded: Loaded, matter: Matter, match: str
    ) -> NewApproval:
        frozen = await matter.frozen()
        args, asked = dict(call.args or {}), asked_args(call)
        waits = {name: value for name, value in args.items() if name not in asked}
        payload = {**frozen.payload, "args": asked, "waits": waits, "host": self._desk.host}
        tool = canonical(call.tool)
        facts = {
            "tool": tool,
            "class": str(TOOLS[tool]),
            "asks": dict(asking.reasons),
            "client": call.client,
            "host": self._desk.host,
            "policy_files": list(loaded.sources),
            "targets": await self._targets(call),
            "targets_left_out": max(0, len(_targets(call)) - MOST_TARGETS),
            **frozen.facts,
        }
        return NewApproval(
            approval_id=f"apr_{self._desk.new_id()}",
            kind=CALL,
            grant=call.grant,
            host=self._desk.host,
            tool=tool,
            match=match,
            effect=await _digest(payload),
            policy=loaded.revision,
            payload=payload,
            facts=facts,
            channel=asking.channel,
            client=call.client,
            lives_ms=asking.lives_ms,
        )

    async def _targets(self, call: Call) -> list[dict[str, Any]]:
        """Whose jobs the call touches, as far as the journal knows them; the first of many."""
        found: list[dict[str, Any]] = []
        for prompt_id in _targets(call)[:MOST_TARGETS]:
            row = await self._desk.store.job(prompt_id)
            mine = row is not None and row.grant == call.grant
            found.append(
                {
                    "prompt_id": prompt_id,
                    "owner": "mine" if mine else "other agent" if row else "human",
                    "grant": row.grant if row else None,
                    "workflow": row.workflow if row else None,
                    "status": row.status if row else None,
                }
            )
        return found

    async def _room(self, call: Call, decision: Decision, decision_id: str) -> None:
        """Nobody is asked about a call that would not fit: limits are looked at, and not taken."""
        desk = self._desk
        taken = admission(call, decision, decision_id, desk.now_ms(), {})
        full = await too_full(desk.store, taken, desk.reconcile)
        if full is not None:
            held = await holding(desk.store, full)
            raise from_full(full, decision.limits, decision_id, held)

    async def _wait(
        self, row: ApprovalRow, call: Call, loaded: Loaded, matter: Matter
    ) -> ApprovalRow:
        """*row* once it is decided, or as it is when the call has waited as long as it may."""
        desk = self._desk
        seconds = patience_s(call, loaded) if desk.waits else 0.0
        await until_decided(
            desk.store,
            row.approval_id,
            seconds,
            now_ms=desk.now_ms,
            say=matter.say,
        )
        return await desk.store.approval(row.approval_id, desk.now_ms()) or row


MOST_TARGETS = 20
"""Jobs that are named to a person."""


def patience_s(call: Call, loaded: Loaded) -> float:
    """How long *call* may wait for a person: its own wait, and no longer than the policy says."""
    most = loaded.policy.approvals.wait_ms / 1000
    own = (call.args or {}).get("wait_seconds")
    return min(most, own) if isinstance(own, int | float) else most


async def _digest(value: Mapping[str, Any]) -> str:
    """On a thread: a workflow can have megabytes."""
    return await anyio.to_thread.run_sync(digest, value)


def _targets(call: Call) -> tuple[str, ...]:
    """Every job that the call would stop."""
    return call.targets if call.target is None else (call.target, *call.targets)


def _asking(decision: Decision) -> Asking:
    if decision.asking is None:
        raise AssertionError("a person is to be asked without a rule that says so")
    return decision.asking


def _spend(row: ApprovalRow) -> Spend:
    return Spend(row.approval_id, row.effect, row.policy, str(row.by.get("assurance", "operator")))


def _requested(new: NewApproval, decision_id: str) -> Mapping[str, Any]:
    """The audit row of a new request: what exactly it is about, by digest."""
    return {
        "kind": "approval",
        "action": "requested",
        "approval_id": new.approval_id,
        "decision_id": decision_id,
        "grant": new.grant,
        "client": new.client,
        "tool": new.tool,
        "effect": new.effect,
        "policy": new.policy,
        "channel": new.channel,
    }
