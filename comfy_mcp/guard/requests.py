"""What callers have asked people: each sees, waits for and takes back its own requests only.

Nothing in here lets anything through. `Requests.answered` writes down what a client said for its
user, where the policy is content with that; everybody else decides past this server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.guard import refusals
from comfy_mcp.guard.asking import CLIENT_MAY, Desk
from comfy_mcp.guard.call import Call
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.guard.kept import kept
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.guard.waiting import Say, until_decided
from comfy_mcp.store.asked import (
    APPROVED,
    CALL,
    CANCELLED,
    CLIENT,
    DENIED,
    PENDING,
    QUESTION,
    Ruling,
)
from comfy_mcp.store.protocol import ApprovalRow, NewApproval, Parked
from comfy_mcp.workflow import digest

__all__ = ["Asked", "Requests"]


SUPERSEDED = "superseded"
MOST_ENDED = 200
"""Requests of one grant that are looked at when the policy changes; no more can wait."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that an agent made up: its words as it wrote them, and how long they may wait."""

    action: str
    context: Mapping[str, Any]
    urgency: str
    lives_ms: int


class Requests:
    """The requests of single callers, by grant; another's is as unknown as one that is not there.

    *now_ms* is the clock they expire by, *command* makes the shell command that shows one.
    """

    def __init__(self, source: PolicySource, desk: Desk) -> None:
        self._source = source
        self._desk = desk
        self.now_ms: Callable[[], int] = desk.now_ms
        self.command: Callable[[str], str] = desk.command

    @property
    def of_clients(self) -> bool:
        """Some rule of the policy in force lets a client answer for its user."""
        policy = self._source.current.policy
        return kept(policy, "of_clients", lambda: _of_clients(policy))

    async def ask(self, call: Call, asked: Asked, decision_id: str) -> ApprovalRow:
        """Put a question to the operator; the same one, if it stands already.

        Raises:
            Denied: as many requests of this caller wait as may.
            WorkflowError: the context is no JSON.
            StateError: the state cannot be written.
        """
        desk, usual = self._desk, self._source.current.policy.approvals
        payload = {"kind": QUESTION, "action": asked.action, "context": dict(asked.context)}
        tool = canonical(call.tool)
        effect = digest(payload)
        new = NewApproval(
            approval_id=f"apr_{desk.new_id()}",
            kind=QUESTION,
            grant=call.grant,
            host=desk.host,
            tool=tool,
            match=effect,
            effect=effect,
            # The answer lets no call through, so it holds under whatever policy.
            policy="",
            payload=payload,
            facts={
                "tool": tool,
                "action": asked.action,
                "context": dict(asked.context),
                "urgency": asked.urgency,
                "client": call.client,
                "host": desk.host,
                "policy_files": list(self._source.current.sources),
            },
            client=call.client,
            lives_ms=min(asked.lives_ms, usual.expires_ms),
        )
        record = _record(new, "requested", decision_id=decision_id, client=call.client)
        parked = await desk.store.park(desk.now_ms(), new, record, most=usual.most_pending)
        if not isinstance(parked, Parked):
            raise refusals.not_parked(parked, decision_id)
        if parked.is_new:
            desk.told(parked.row)
        return parked.row

    async def find(
        self, grant: str, approval_id: str, seconds: float, say: Say
    ) -> ApprovalRow | None:
        """One request of *grant*; if it is not decided yet, once it is or *seconds* are over.

        Raises:
            StateError: the state cannot be read.
        """
        desk = self._desk
        row = await desk.store.approval(approval_id, desk.now_ms(), grant=grant)
        if row is None or not desk.waits or seconds <= 0:
            return row
        await until_decided(desk.store, approval_id, seconds, now_ms=desk.now_ms, say=say)
        return await desk.store.approval(approval_id, desk.now_ms(), grant=grant)

    async def page(
        self, grant: str, statuses: frozenset[str] | None, before: int | None, count: int
    ) -> tuple[ApprovalRow, ...]:
        """At most *count* requests of *grant*, newest first, *before* the row's number.

        Raises:
            StateError: the state cannot be read.
        """
        desk = self._desk
        return await desk.store.approvals(
            desk.now_ms(), grant=grant, statuses=statuses, before=before, count=count
        )

    async def take_back(
        self, grant: str, approval_id: str, client: str | None
    ) -> ApprovalRow | None:
        """Cancel a request of *grant* that is not decided, or approved and not used yet.

        It stands as it is if it is too late for that.

        Raises:
            StateError: the state cannot be written.
        """
        desk = self._desk
        row = await desk.store.approval(approval_id, desk.now_ms(), grant=grant)
        if row is None:
            return None
        by = {"channel": "agent", "user": client}
        record = _record(row, CANCELLED, by=by, changes=[], reason="")
        _, after = await desk.store.rule(
            desk.now_ms(), approval_id, Ruling(CANCELLED, by), record, grant=grant
        )
        return after

    async def outdate(self, grant: str) -> int:
        """End what *grant* asked under policy files that have been edited since; how many.

        Nothing would be let through by a yes to it. What was asked under other files is left alone:
        another server may have another policy.

        Raises:
            StateError: the state cannot be used.
        """
        desk, loaded = self._desk, self._source.current
        found = await desk.store.approvals(
            desk.now_ms(), grant=grant, statuses=frozenset({PENDING, APPROVED}), count=MOST_ENDED
        )
        sources = list(loaded.sources)
        old = [
            row
            for row in found
            if row.kind == CALL
            and row.policy != loaded.revision
            and row.facts.get("policy_files") == sources
        ]
        by = {"channel": "guard"}
        for row in old:
            record = _record(row, CANCELLED, by=by, changes=[], reason=SUPERSEDED)
            ruling = Ruling(CANCELLED, by, SUPERSEDED)
            await desk.store.rule(desk.now_ms(), row.approval_id, ruling, record, grant=grant)
        return len(old)

    async def answered(self, row: ApprovalRow, *, approve: bool, client: str | None) -> None:
        """Write down what the client said for its user; if it is too late, how it stands stands.

        Raises:
            StateError: the state cannot be written.
        """
        desk = self._desk
        status = APPROVED if approve else DENIED
        by = {"channel": "elicitation", "user": client, "assurance": CLIENT}
        record = _record(row, status, by=by, changes=[], reason="")
        await desk.store.rule(
            desk.now_ms(), row.approval_id, Ruling(status, by), record, grant=row.grant
        )


def _of_clients(policy: Policy) -> bool:
    layers = (*policy.layers, *(grant.layer for grant in policy.grants))
    asks = (rule.approval for layer in layers for rule in layer.rules if rule.approval)
    return not CLIENT_MAY.isdisjoint({policy.approvals.channel, *(one.channel for one in asks)})


def _record(row: NewApproval | ApprovalRow, action: str, **more: Any) -> dict[str, Any]:
    """The audit row of what was done to a request."""
    return {
        "kind": "approval",
        "action": action,
        "approval_id": row.approval_id,
        "grant": row.grant,
        "tool": row.tool,
        "effect": row.effect,
        **more,
    }
