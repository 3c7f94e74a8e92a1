"""A call that a person may have to decide: what the tool behind it knows. Values and a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from comfy_mcp.guard.call import Call
from comfy_mcp.guard.catalog import canonical
from comfy_mcp.store.protocol import ApprovalRow

__all__ = ["BY_ID", "Frozen", "Matter", "asked_args"]

WAITS = frozenset(("wait_seconds", "cleanup_after_ms", "idempotency_key", "on_cancel"))
"""Arguments that say how to wait and to repeat, and nothing about what is done."""

BY_ID = "run_workflow"
"""The tool that can be called with the id of a request in place of what was asked."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """*payload* is what a yes lets through, as JSON; *facts* are what a person is shown."""

    payload: Mapping[str, Any]
    facts: Mapping[str, Any]


class Matter:
    """One call, as a plain tool knows it: its arguments and the jobs that it touches.

    *asks_client*: the client is to be asked before anybody waits for the operator.
    """

    asks_client = False

    def __init__(self, call: Call) -> None:
        self.call = call

    async def say(self, words: str) -> None:
        """Tell the client that its call waits."""

    async def bound(self) -> Mapping[str, Any]:
        """What the effect depends on beside arguments and target, such as contents of files.

        As it is now, however often it is asked.

        Raises:
            WorkflowError: no person can be asked to answer for it.
        """
        return {}

    async def frozen(self) -> Frozen:
        """The whole effect, and what a person needs to know of it."""
        call = self.call
        payload = {"kind": "plain", "target": call.target, "targets": list(call.targets)}
        return Frozen(payload, {"args": asked_args(call)})

    async def remade(self, row: ApprovalRow) -> Call:
        """The call that *row* lets through: with what was frozen, not with what is there now."""
        return replace(self.call, targets=tuple(row.payload["targets"]))


def asked_args(call: Call) -> dict[str, Any]:
    """The arguments that say what is to be done."""
    unsaid = WAITS | {"approval_id"} if canonical(call.tool) == BY_ID else WAITS
    return {name: value for name, value in (call.args or {}).items() if name not in unsaid}
