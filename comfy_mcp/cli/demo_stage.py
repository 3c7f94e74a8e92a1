"""What the demo needs around it: a host, a policy, a real server process and a client of it."""

from __future__ import annotations

import base64
import contextlib
import os
import sys
import sysconfig
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.dispatcher import ProgressFnT
from mcp.shared.exceptions import MCPError
from mcp.types import BlobResourceContents, CallToolResult, TextContent

import comfy_mcp
from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.errors import ComfyMCPError

__all__ = ["POLICY", "Stage", "call", "fast", "picture_of", "slow", "stage", "words_of"]

POLICY = """\
{
  "version": "1",
  "default": "deny",
  "tools": {
    "run_workflow": {"rate_limit": "3/minute"},
    "get_job": {},
    "view_output": {},
    "cancel_job": {}
  }
}
"""

PAINTING = Faults(step_ms=60)
"""A pace at which a bar is seen to move."""

CRAWLING = Faults(step_ms=400)
"""A pace at which nobody wants to wait."""

_SERVER_GONE = (MCPError, OSError, anyio.ClosedResourceError, anyio.BrokenResourceError)

ANSWER_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A running demo host, and a folder that goes when the demo ends."""

    host: EmbeddedHost
    folder: Path

    @property
    def state(self) -> Path:
        """The server's state folder."""
        return self.folder / "state"

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """A client of a server in a process of its own, started as MCP clients start it.

        Raises:
            ComfyMCPError: the server ended or could not be spoken to; it has its last words.
        """
        log = self.folder / "server.log"
        with log.open("w", encoding="utf-8") as errors:
            try:
                async with Client(
                    stdio_client(self._start(), errlog=errors), read_timeout_seconds=ANSWER_SECONDS
                ) as client:
                    yield client
            except (ComfyMCPError, MCPError, OSError, ExceptionGroup) as error:
                told = _told(error, log)
                if told is None or told is error:
                    raise
                raise told from error

    def _start(self) -> StdioServerParameters:
        policy = self.folder / "policy.json"
        policy.write_text(POLICY, encoding="utf-8")
        # The server trusts no policy that everybody may change, whatever the umask says.
        policy.chmod(0o600)
        return StdioServerParameters(
            command=sys.executable,
            args=["-m", "comfy_mcp", "serve", "--policy", str(policy)],
            env={
                "COMFYUI_HOST": self.host.url,
                "COMFY_MCP_STATE": str(self.state),
                "COMFY_MCP_GRANT": "demo-agent",
                **_python_path(),
            },
            cwd=self.folder,
        )


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    """Everything that the demo needs, for as long as it runs."""
    with TemporaryDirectory(prefix="comfy-mcp-guard-demo-") as folder:
        async with EmbeddedHost(faults=PAINTING) as host:
            yield Stage(host, Path(folder))


async def call(
    client: Client, tool: str, arguments: dict[str, Any], heard: ProgressFnT | None = None
) -> dict[str, Any]:
    """The structured result of a call that must succeed.

    Raises:
        ComfyMCPError: it did not.
    """
    result = await client.call_tool(tool, arguments, progress_callback=heard)
    if result.is_error:
        raise ComfyMCPError(f"{tool} failed: {words_of(result)}")
    return result.structured_content or {}


async def picture_of(client: Client, job: dict[str, Any]) -> bytes:
    """The whole first file of *job*, read as an MCP resource.

    Raises:
        ComfyMCPError: the job has no such file.
    """
    outputs = job.get("outputs")
    if job.get("status") != "completed" or not outputs:
        raise ComfyMCPError(f"The job made no picture: it is {job.get('status')}.")
    read = await client.read_resource(outputs[0]["uri"])
    content = read.contents[0]
    if not isinstance(content, BlobResourceContents):
        raise ComfyMCPError("The server sent a text where a picture was expected.")
    return base64.b64decode(content.blob)


def words_of(result: CallToolResult) -> str:
    """What an agent reads first."""
    texts = [block.text for block in result.content if isinstance(block, TextContent)]
    return texts[0] if texts else "(no text)"


def slow(host: EmbeddedHost) -> None:
    """Have jobs take minutes from now on."""
    host.faults = CRAWLING


def fast(host: EmbeddedHost) -> None:
    """Have jobs take no longer than they need."""
    host.faults = Faults()


def _told(error: Exception, log: Path) -> Exception | None:
    """*error*, maybe wrapped by task groups, in our words; None for a fault of this program."""
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", first)
        first = group.exceptions[0]
    # A broken pipe is that of our own output: the server's is a closed resource.
    if isinstance(first, ComfyMCPError | BrokenPipeError | TimeoutError):
        return first
    if isinstance(first, _SERVER_GONE):
        return ComfyMCPError(_ended(log, first))
    return None


def _ended(log: Path, error: BaseException) -> str:
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = f" It said: {lines[-1]}" if lines else ""
    return f"The MCP server could not be spoken to ({type(error).__name__}: {error}).{said}"


def _python_path() -> dict[str, str]:
    """Lets the server find this package where it runs from a source folder."""
    home = Path(comfy_mcp.__file__).resolve().parent.parent
    installed = Path(sysconfig.get_path("purelib")).resolve()
    inherited = os.environ.get("PYTHONPATH")
    parts = [*([] if home == installed else [str(home)]), *([inherited] if inherited else [])]
    return {"PYTHONPATH": os.pathsep.join(parts)} if parts else {}
