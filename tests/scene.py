"""Agents and the operator as processes of their own; all they share is a folder and a ComfyUI."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.server import now_ms
from comfy_mcp.store.sqlite import SqliteStore

__all__ = ["Agent", "Scene"]


@dataclass
class Agent:
    """A client at a server process of its own; *waiting* is set once a call says that it waits."""

    client: Client
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; the raw result."""

        async def heard(_value: float, _total: float | None, words: str | None) -> None:
            if words and words.startswith("waiting for a person"):
                self.waiting.set()

        return await self.client.call_tool(tool, arguments, progress_callback=heard)

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that has to succeed."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.content
        found: dict[str, Any] = result.structured_content
        return found

    async def refusal(self, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        """Call a tool that has to fail: its words, and what programs read."""
        result = await self.call(tool, **arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text, json.loads(result.content[1].text)


@dataclass(frozen=True)
class Scene:
    """One folder, one ComfyUI; agents and the operator come and go."""

    folder: Path
    host: EmbeddedHost

    @property
    def state(self) -> Path:
        """What all processes share."""
        return self.folder / "state"

    @property
    def environ(self) -> dict[str, str]:
        """Little more than what MCP clients pass on."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "COMFY_MCP_STATE": str(self.state),
            "COMFY_MCP_POLICY": str(self.folder / "policy.json"),
            "COMFYUI_HOST": self.host.url,
        }

    @asynccontextmanager
    async def agent(
        self, mode: str = "auto", grant: str = "local", answer: Any = None
    ) -> AsyncGenerator[Agent]:
        """Start a server, and be its client until the end of the block; then it ends."""
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "comfy_mcp", "serve"],
            env={**self.environ, "COMFY_MCP_GRANT": grant},
            cwd="/",
        )
        async with Client(parameters, mode=mode, elicitation_callback=answer) as client:
            yield Agent(client)

    async def operator(self, *words: str) -> tuple[int, str]:
        """Run a command as the operator does, who names the state: its exit status and words."""
        command = [sys.executable, "-m", "comfy_mcp", "approvals", *words]
        return await self._ran([*command, "--state", str(self.state)])

    async def as_printed(self, hint: str) -> tuple[int, str]:
        """Run a command that the agent told the user, as it is."""
        return await self._ran(shlex.split(hint))

    async def decided(self, *words: str) -> str:
        """Decide something that can be decided; what the operator reads."""
        status, said = await self.operator(*words)
        assert status == 0, said
        return said

    async def later(self, seconds: float) -> None:
        """Let the clock of the state go on: no process goes back behind what was written."""
        store = SqliteStore(self.state)
        await store.record(now_ms() + int(seconds * 1_000), {"kind": "test"})
        await store.close()

    async def records(self, kind: str) -> list[dict[str, Any]]:
        """Audit rows of a kind, oldest first, out of a chain that is whole."""
        store = SqliteStore(self.state)
        rows = [dict(row.record) for row in await store.tail(100)]
        _, fault = await store.verify()
        await store.close()
        assert fault is None
        return [row for row in rows if row["kind"] == kind]

    async def _ran(self, command: list[str]) -> tuple[int, str]:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()
