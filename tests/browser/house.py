"""A whole house: a ComfyUI, and agents and the operator's console as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import Implementation, TextContent
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings

SECONDS = 30
"""The most that a process may take to say something."""

ROOT = Path(__file__).parent.parent.parent

KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LOGNAME",
    "USER",
    "PYTHONDONTWRITEBYTECODE",
    "COVERAGE_PROCESS_START",
)

APPROVAL = re.compile(r"apr_[0-9a-f]{16}")

CODE = re.compile(r"\[[A-Z ]+\] ([a-z_]+):")

LINK = re.compile(r"http://127\.0\.0\.1:\d+/#key=\S+")

POLICY: Mapping[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {
        "run_workflow": {
            "require_approval": {
                "when": [{"path": "graph.megapixels", "op": "gt", "value": 0.2}],
                "reason": "Above 0.2 megapixels a person looks first.",
            },
            "limits": [{"counter": "executes", "window": "minute", "max": 10, "scope": "grant"}],
        },
        "get_job": {},
        "view_output": {},
        "cancel_job": {},
        "interrupt_execution": {"require_approval": True},
        "get_approval": {},
        "list_approvals": {},
        "request_approval": {},
        "cancel_approval": {},
    },
    "gpu": {
        "max_in_flight": 4,
        "max_megapixels": 4,
        "gpu_seconds": [{"window": "hour", "max": 900}],
    },
}


CRAWLING = Faults(step_ms=2_000)
"""A pace at which a job does not end while somebody looks."""


@dataclass
class Console:
    """The console's process; *lines* is what the operator's terminal shows."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list[str])
    _used: int = 0

    async def link(self) -> str:
        """A sign-in link that was not used yet: each sign-in prints the next."""
        async with asyncio.timeout(SECONDS):
            while len(found := LINK.findall("\n".join(self.lines))) <= self._used:
                await self._read()
        self._used += 1
        link: str = found[self._used - 1]
        return link

    @property
    def port(self) -> int:
        """Where it listens; known with the first link."""
        return int(LINK.findall("\n".join(self.lines))[0].split(":")[2].split("/")[0])

    async def end(self) -> None:
        """Have the process end, as Ctrl-C does."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        async with asyncio.timeout(SECONDS):
            await self.process.communicate()

    async def _read(self) -> None:
        if self.process.stdout is None:
            raise AssertionError("the console has no terminal")
        line = await self.process.stdout.readline()
        if not line:
            raise AssertionError("the console has ended: " + "\n".join(self.lines))
        self.lines.append(line.decode().rstrip())


@dataclass
class House:
    """Everything but agents and consoles, which come and go; *policy* can be written anew."""

    host: EmbeddedHost
    folder: Path

    @property
    def policy(self) -> Path:
        """The policy's file."""
        return self.folder / "policy.json"

    def rule(self, **more: Any) -> None:
        """Have the policy from above in force, with *more* keys laid over it."""
        written = json.dumps({**POLICY, **more}, indent=2)
        self.policy.write_text(written, encoding="utf-8")
        self.policy.chmod(0o600)

    def crawl(self) -> None:
        """Have jobs take minutes."""
        self.host.faults = CRAWLING

    def environ(self) -> dict[str, str]:
        """The environment of every process here."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {
            "PYTHONPATH": str(ROOT),
            "COMFYUI_HOST": self.host.url,
            "COMFY_MCP_STATE": str(self.folder / "state"),
            "COMFY_MCP_POLICY": str(self.policy),
        }
        return kept | own

    def give(self, name: str, color: str) -> None:
        """Put a picture among those that workflows may read, maybe in the place of another."""
        Image.new("RGB", (640, 448), color).save(self.host.folder / "input" / name)

    async def command(self, *words: str) -> None:
        """What the operator does in a terminal."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "comfy_mcp", *words),
            env=self.environ(),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    @asynccontextmanager
    async def agent(
        self, grant: str = "studio", name: str = "studio-agent"
    ) -> AsyncGenerator[Client]:
        """An agent's client, with a server of its own here; *name* is what it says it is."""
        settings = Settings(
            address=Address(self.host.url),
            policies=(self.policy,),
            state=self.folder / "state",
            grant=grant,
        )
        server, _ = build(settings)
        said = Implementation(name=name, version="1")
        async with Client(server, client_info=said, read_timeout_seconds=SECONDS) as client:
            yield client

    @asynccontextmanager
    async def far_agent(self, grant: str = "studio") -> AsyncGenerator[Client]:
        """An agent's client, with a server of its own over stdio, as MCP clients start it."""
        start = StdioServerParameters(
            command=sys.executable,
            args=["-m", "comfy_mcp", "serve", "--grant", grant],
            env=self.environ(),
            cwd=self.folder,
        )
        with (self.folder / "agents.log").open("a", encoding="utf-8") as log:
            async with Client(
                stdio_client(start, errlog=log), read_timeout_seconds=SECONDS
            ) as client:
                yield client

    @asynccontextmanager
    async def console(self, port: int = 0) -> AsyncGenerator[Console]:
        """A console on a port of its own, until a signal ends it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "comfy_mcp", "console", "--port", str(port)),
            env=self.environ(),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        started = Console(process)
        try:
            yield started
        finally:
            await started.end()


@asynccontextmanager
async def house(folder: Path) -> AsyncGenerator[House]:
    """A house in *folder*, with the policy from above."""
    async with EmbeddedHost(folder=folder / "comfyui") as host:
        made = House(host, folder)
        made.rule()
        yield made


async def call(agent: Client, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the agent is told: the structured result; of a refusal its words, id and code."""
    result = await agent.call_tool(tool, dict(arguments))
    words = " ".join(one.text for one in result.content if isinstance(one, TextContent))
    if not result.is_error:
        return dict(result.structured_content or {})
    found = APPROVAL.search(words)
    code = CODE.match(words)
    return {
        "refused": True,
        "words": words,
        "approval_id": found[0] if found else None,
        "code": code[1] if code else None,
    }


def lighthouse(**params: Any) -> dict[str, Any]:
    """A call that a person has to approve, unless *params* make it small enough."""
    given = {
        "prompt": "a lighthouse on a basalt cliff at dusk, long exposure, calm sea",
        "checkpoint": "embedded-demo.safetensors",
        "steps": 24,
        "width": 640,
        "height": 448,
    }
    return {"workflow": "txt2img", "params": {**given, **params}}


def parked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same call, waiting for nobody."""
    return {**arguments, "wait_seconds": 0}
