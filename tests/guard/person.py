"""Calls that a person has to decide, and the person who does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comfy_mcp.errors import ApprovalNeeded, Denial, Refused
from comfy_mcp.guard.gate import Call, Granted
from comfy_mcp.guard.matter import Frozen, Matter
from comfy_mcp.store.asked import APPROVED, ApprovalRow, Ruling
from comfy_mcp.workflow import digest
from tests.guard.gatehouse import Bench, submit

__all__ = ["ALL", "ASKS", "CLIENT", "OPERATOR", "Files", "House", "run"]

OPERATOR = {"channel": "terminal", "user": "ada", "assurance": "operator"}
CLIENT = {"channel": "elicitation", "user": "a client", "assurance": "client"}

ASKS: dict[str, Any] = {"action": "require_approval"}
ALL = {"run_workflow": ASKS, "cancel_job": ASKS, "clear_queue": ASKS, "get_job": ASKS}


def run(number: int, grant: str = "local", /, **args: Any) -> Call:
    """A run with these arguments; every try is a job of its own."""
    return replace(submit(number, grant), args={"workflow": "card", **args})


class Files(Matter):
    """A call that reads files: *contents* by name, as they are now; *said* is what it was told."""

    def __init__(self, call: Call, contents: Mapping[str, Any]) -> None:
        super().__init__(call)
        self.contents = contents
        self.said: list[str] = []

    async def say(self, words: str) -> None:
        """Keep what the client would be told."""
        self.said.append(words)

    async def bound(self) -> Mapping[str, Any]:
        """The files as they are at this moment."""
        return dict(self.contents)

    async def frozen(self) -> Frozen:
        """What a plain call freezes, and the files."""
        plain = await super().frozen()
        return Frozen({**plain.payload, "files": dict(self.contents)}, plain.facts)


@dataclass
class House:
    """A bench with somebody who decides; *ran* are the calls that were let through."""

    bench: Bench
    ran: list[Granted] = field(default_factory=list[Granted])

    async def attempt(self, call: Call, matter: Matter | None = None) -> Denial | None:
        """Make a call: None if it ran; every refusal has to leave its audit row."""
        try:
            gate = self.bench.gate
            admit = gate.admit_many if call.variants else gate.admit
            async with admit(call, matter) as granted:
                self.ran.append(granted)
                return None
        except Refused as refused:
            refusal = refused
        denial = refusal.denial
        assert isinstance(refusal, ApprovalNeeded) == (denial.decision == "require_approval")
        if denial.code != "audit_unavailable":
            (row,) = [
                row
                for row in await self.bench.rows()
                if row.get("decision_id") == denial.decision_id and row["kind"] == "decision"
            ]
            assert (row["decision"], row["code"]) == (denial.decision, denial.code)
            assert "limits" not in row
        return denial

    async def code(self, call: Call, matter: Matter | None = None) -> str:
        """How a call ends: ran, or the code of its refusal."""
        denial = await self.attempt(call, matter)
        return "ran" if denial is None else denial.code

    async def asked(self, call: Call, matter: Matter | None = None) -> ApprovalRow:
        """The new request that a call makes."""
        denial = await self.attempt(call, matter)
        assert denial is not None
        assert denial.code == "approval_required"
        assert denial.approval_id is not None
        return await self.row(denial.approval_id)

    async def approved(self, call: Call, matter: Matter | None = None) -> ApprovalRow:
        """The request that a call makes, with a yes."""
        row = await self.asked(call, matter)
        assert await self.say(row)
        return await self.row(row.approval_id)

    async def row(self, approval_id: str) -> ApprovalRow:
        """A request as it stands now."""
        row = await self.bench.store.approval(approval_id, self.bench.now_ms)
        assert row is not None
        return row

    async def status(self, row: ApprovalRow) -> str:
        """How a request stands now."""
        return (await self.row(row.approval_id)).status

    async def say(
        self,
        row: ApprovalRow,
        status: str = APPROVED,
        *,
        by: Mapping[str, Any] = OPERATOR,
        reason: str = "",
        payload: Mapping[str, Any] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> bool:
        """Decide a request as terminal and page do; False if it is too late."""
        effect = None if payload is None else digest(payload)
        ruling = Ruling(status, by, reason, changes or {}, payload, effect)
        record = {
            "kind": "approval",
            "action": status,
            "approval_id": row.approval_id,
            "grant": row.grant,
            "tool": row.tool,
            "by": dict(by),
            "changes": sorted(changes or {}),
            "reason": reason,
        }
        done, _ = await self.bench.store.rule(self.bench.now_ms, row.approval_id, ruling, record)
        return done

    async def nothing_happened(self) -> None:
        """No call was let through, no job written down, no yes spent."""
        assert self.ran == []
        assert await self.bench.store.unfinished(host="http://host") == ()
        rows = await self.bench.store.approvals(self.bench.now_ms, count=1_000)
        assert [row for row in rows if row.status == "spent"] == []
