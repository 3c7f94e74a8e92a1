"""A server process that dies where it is told to: ``python -m tests.faults.server_process JSON``.

It is the whole server, spoken to by an MCP client in the same process; only its store or its way to
ComfyUI has a point at which it kills itself, as ``kill -9`` and power cuts do. The JSON object
gives *url*, *state*, *grant*, *point*, *call* (the tool) and *arguments*. The call's result is
printed as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp import Client

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.server import Services, build, now_ms
from comfy_mcp.settings import Address, Settings
from comfy_mcp.store import SqliteStore
from tests.faults.stage import QUICK, TIMES, fitted
from tests.tools.desk import EVERYTHING

__all__ = ["POINTS", "command"]


def die() -> None:
    """At once, with nothing cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStore(SqliteStore):
    """Dies before or after the journal learns that ComfyUI has the job."""

    point = ""

    async def move_job(self, prompt_id: str, status: str, now_ms: int, **more: Any) -> bool:
        """Write a job's new status."""
        if (self.point, status) == ("answered", "pending"):
            die()
        if (self.point, status) == ("ended", "completed"):
            die()
        moved = await super().move_job(prompt_id, status, now_ms, **more)
        if (self.point, status) in {("noted", "pending"), ("stopping", "stopping")}:
            die()
        return moved


class DyingHost(ComfyHost):
    """Dies before anything is sent."""

    point = ""

    async def submit(self, *graph: Any, **more: Any) -> Any:
        """Queue a job."""
        if self.point == "admitted":
            die()
        return await super().submit(*graph, **more)

    async def stop(self, *job: Any) -> Any:
        """Ask once that a job be stopped."""
        sent = await super().stop(*job)
        if self.point == "ordered":
            die()
        return sent


POINTS = ("admitted", "answered", "noted", "ended", "stopping", "ordered")


def command(**asked: Any) -> tuple[str, ...]:
    """What starts such a process."""
    return (sys.executable, "-m", "tests.faults.server_process", json.dumps(asked))


async def main(asked: Mapping[str, Any]) -> None:
    """Be a server and its client for one call."""
    state = Path(asked["state"])
    policy = state.parent / f"policy-{asked['grant']}.json"
    policy.write_text(json.dumps(EVERYTHING))
    settings = Settings(
        address=Address(asked["url"]), policies=(policy,), state=state, grant=asked["grant"]
    )
    server, services = build(settings, look_seconds=0.1)
    _arm(services, asked.get("point", ""))
    async with Client(server) as client:
        result = await client.call_tool(asked["call"], asked["arguments"])
        sys.stdout.write(json.dumps(result.structured_content) + "\n")
        sys.stdout.flush()


def _arm(services: Services, point: str) -> None:
    store = DyingStore(services.settings.state)
    store.point = point
    # Before anything was opened: the gate and the jobs have to use this one.
    services.store = services.gate._o.store = store
    DyingHost.point = point
    fitted(services, pace=QUICK, timeouts=TIMES, clock=now_ms, host_class=DyingHost)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
