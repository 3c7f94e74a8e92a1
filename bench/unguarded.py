"""The ten-line SDK server to compare with: one tool, no policy, no limits, no audit log."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.steps import Plain


@asynccontextmanager
async def connected(_: MCPServer[Plain]) -> AsyncGenerator[Plain]:
    """One connection for as long as the server lives."""
    async with Plain(os.environ["COMFYUI_HOST"]) as plain:
        yield plain


server = MCPServer[Plain]("unguarded", lifespan=connected, log_level="WARNING")


@server.tool()
async def run_workflow(workflow: dict[str, Any], ctx: Context[Plain, Any]) -> dict[str, Any]:
    """Run a ComfyUI workflow and wait for its outputs."""
    entry = await ctx.request_context.lifespan_context.run(workflow)
    return {"status": entry["status"]["status_str"], "outputs": entry["outputs"]}


if __name__ == "__main__":
    server.run()
