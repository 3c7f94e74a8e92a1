"""A gate whose clock stands where it is put, and calls to try on it."""

from __future__ import annotations

import json
from typing import Any, Literal

from comfy_mcp.guard.gate import Call, Gate
from comfy_mcp.guard.question import Run
from comfy_mcp.guard.source import PolicySource
from comfy_mcp.store.protocol import ApprovalRow, NewJob
from comfy_mcp.store.sqlite import SqliteStore
from comfy_mcp.workflow.facts import Facts

NOW = 1_800_000_000_000
HOST = "http://host"


class Bench:
    """A gate over *store* under a policy that can be edited; *told* has every decision's row.

    *asked* has every new request to a person; calls wait for an answer only if the gate *waits*.
    """

    def __init__(
        self,
        store: SqliteStore,
        tools: dict[str, Any],
        *,
        on_bad: Literal["keep", "freeze"] = "keep",
        waits: bool = False,
        offered: frozenset[str] | None = None,
        **policy: Any,
    ) -> None:
        self.store = store
        self.asked: list[ApprovalRow] = []
        self.now_ms = NOW
        self.asked_to_reconcile: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.number = 0
        self.file = store._database._folder.parent / "policy.json"
        self.write(tools=tools, **policy)
        self.source = PolicySource((self.file,), on_bad=on_bad)
        self.gate = Gate(
            self.source,
            store,
            now_ms=lambda: self.now_ms,
            new_id=self._next,
            reconcile=self._reconcile,
            clock=lambda: self.now_ms / 1000,
            told=lambda row: self.told.append(dict(row)),
            host=HOST,
            parked=self.asked.append,
            waits=waits,
            offered=offered,
        )

    def write(self, **policy: Any) -> None:
        """Edit the policy's file, in one step as a careful editor does."""
        text = json.dumps({"version": "1", "default": "deny", **policy})
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.file)

    def _next(self) -> str:
        self.number += 1
        return f"{self.number:016x}"

    async def _reconcile(self, grant: str) -> None:
        self.asked_to_reconcile.append(grant)

    async def rows(self) -> list[dict[str, Any]]:
        """The audit log's records, oldest first."""
        return [dict(row.record) for row in await self.store.tail(1_000)]


def submit(number: int, grant: str = "local", **run: Any) -> Call:
    """A run of an empty graph; *run* says more about it."""
    job = NewJob(f"job-{number}", grant, HOST, "card", f"sha256:{number}")
    asked = Run(**{"facts": Facts(), **run})
    return Call("run_workflow", grant, grant, args={"workflow": "card"}, job=job, run=asked)
