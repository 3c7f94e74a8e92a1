"""An embedded host that says its URL and lives until its stdin is closed.

``embedded.py [PROFILE [FAULT=MS ...]]``; beside the times of `Faults` there is ``slow_orders_ms``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from comfy_mcp.embedded import EmbeddedHost, Faults
from comfy_mcp.embedded.faults import BadAnswer

ORDERS = ("/interrupt", "/jobs/*/cancel")


def faults(**weather: int) -> Faults:
    """Weather by name, in milliseconds; *slow_orders_ms*: a stop takes that long to arrive."""
    delay = weather.pop("slow_orders_ms", 0)
    slow = (BadAnswer("slow", method="POST", path=path, delay_ms=delay) for path in ORDERS)
    told: dict[str, Any] = {**weather, "http": tuple(slow) if delay else ()}
    return Faults(**told)


async def main(profile: str = "0.33", *weather: str) -> None:
    """Serve until nobody holds the other end any more."""
    told: dict[str, int] = {}
    for each in weather:
        name, _, milliseconds = each.partition("=")
        told[name] = int(milliseconds)
    async with EmbeddedHost(profile=profile, faults=faults(**told)) as host:
        print(host.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
