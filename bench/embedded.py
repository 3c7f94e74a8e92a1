"""An embedded host that says its URL and lives until its stdin is closed."""

from __future__ import annotations

import asyncio
import sys

from comfy_mcp.embedded import EmbeddedHost


async def main() -> None:
    """Serve until nobody holds the other end any more."""
    async with EmbeddedHost() as host:
        print(host.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
