"""An embedded host that says its URL and lives until its stdin is closed.

``embedded.py [PROFILE [FAULT=MS ...]]``
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from comfy_mcp.embedded import EmbeddedHost, Faults


async def main(profile: str = "0.33", *weather: str) -> None:
    """Serve until nobody holds the other end any more."""
    told: dict[str, Any] = {}
    for each in weather:
        name, _, milliseconds = each.partition("=")
        told[name] = int(milliseconds)
    async with EmbeddedHost(profile=profile, faults=Faults(**told)) as host:
        print(host.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
