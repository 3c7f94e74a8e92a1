"""The smallest SDK server there is: one tool that does nothing."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare", log_level="WARNING")


@server.tool()
async def nothing() -> str:
    """Do nothing."""
    return ""


if __name__ == "__main__":
    server.run()
