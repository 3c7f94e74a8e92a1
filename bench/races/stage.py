"""Who takes part: two servers of one agent, one of another agent, and ComfyUI's own account."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client

from bench.races.truth import Truth
from bench.races.verdicts import REFUSED, Report, Trial, report
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings

__all__ = ["Desk", "Stage", "stage"]

POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {"*": {}},
    "gpu": {"max_in_flight": 1000},
}
"""Everything is allowed, nothing is limited: only ownership refuses."""

FINAL_SECONDS = 60.0
"""In which a job has to end that nobody holds up any more."""

STOP_SECONDS = 20.0
"""In which a stop has to have worked."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One client at a server of its own, in this process."""

    client: Client

    async def submit(self, graph: dict[str, Any]) -> str:
        """The prompt_id of a job that was just queued."""
        job = await self._ask("run_workflow", workflow=graph, wait_seconds=0)
        return str(job["prompt_id"])

    async def job(self, prompt_id: str, seconds: float = 0) -> dict[str, Any]:
        """The job as get_job tells it, after at most *seconds*."""
        return await self._ask("get_job", prompt_id=prompt_id, wait_seconds=seconds)

    async def cancel(self, prompt_id: str) -> str:
        """The outcome of cancel_job, or ``refused:`` and why."""
        said = await self._say("cancel_job", prompt_id=prompt_id, wait_seconds=STOP_SECONDS)
        return said if isinstance(said, str) else str(said["outcome"])

    async def interrupt(self, prompt_id: str | None) -> str:
        """What interrupt_execution did, in the words of cancel_job, or ``refused:`` and why."""
        named = {} if prompt_id is None else {"prompt_id": prompt_id}
        said = await self._say("interrupt_execution", cleanup_after_ms=20_000, **named)
        if isinstance(said, str):
            return said
        stopped: str | None = said.get("prompt_id")
        if stopped is None:
            return "nothing_runs"
        if prompt_id not in {None, stopped}:
            return f"another job: {stopped}"
        if not said["stopped"]:
            return "still_running"
        job: dict[str, Any] = said.get("job") or {}
        return "cancelled" if job.get("status") == "cancelled" else "already_finished"

    async def _ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        said = await self._say(tool, **arguments)
        if isinstance(said, str):
            raise RuntimeError(f"{tool}: {said}")  # noqa: TRY004 - a refusal, not a wrong type
        return said

    async def _say(self, tool: str, **arguments: Any) -> dict[str, Any] | str:
        result = await self.client.call_tool(tool, arguments)
        if not result.is_error:
            return dict(result.structured_content or {})
        words = [getattr(block, "text", "") for block in result.content]
        if len(words) == 1:
            return f"broken: {words[0]}"  # the server itself failed; its stderr says how
        told = json.loads(words[-1])
        return f"{REFUSED}:{told.get('type') or told.get('code')}"


@dataclass(slots=True)
class Stage:
    """*mine* and *mine_too* are two servers of one agent; *other* is somebody else's."""

    mine: Desk
    mine_too: Desk
    other: Desk
    truth: Truth
    name: str = ""
    old: bool = False
    """A ComfyUI that can only interrupt whatever runs."""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    _marks: int = 0

    def mark(self, what: str) -> str:
        """A name for one job that no other job has."""
        self._marks += 1
        return f"{self.run}-{what}-{self._marks}"

    async def status(self, prompt_id: str, desk: Desk | None = None) -> str:
        """How a job ended."""
        return str((await (desk or self.mine).job(prompt_id, FINAL_SECONDS))["status"])

    async def judged(self, race: str, count: int, trials: Sequence[Trial]) -> Report:
        """Compare *trials* with what ComfyUI did, once nothing is left in its queue."""
        left = await self.truth.left(FINAL_SECONDS)
        name = f"{race} {self.name}".strip()
        return report(name, count, trials, await self.truth.did(), left=left)


@asynccontextmanager
async def stage(
    url: str, folder: Path, *, key: str = "", name: str = "", old: bool = False
) -> AsyncGenerator[Stage]:
    """Servers for the ComfyUI at *url* that share a state below *folder*."""
    policy = folder / "policy.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    address = Address(url, {"X-API-Key": key} if key else {})

    async with AsyncExitStack() as stack:

        async def desk(grant: str) -> Desk:
            settings = Settings(
                address=address, policies=(policy,), state=folder / "state", grant=grant
            )
            server, _ = build(settings)
            return Desk(await stack.enter_async_context(Client(server)))

        truth = await stack.enter_async_context(Truth(url, key))
        yield Stage(await desk("local"), await desk("local"), await desk("other"), truth, name, old)
