"""A server process that submits one job, names it on stdout, and follows it until it is killed.

Called with the URL of ComfyUI, the state folder, the name of a graph and its cap in ms (0: none).
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from tests.jobs.offices import GRAPHS, RULE, hire

__all__ = ["main"]


async def main(url: str, folder: str, name: str, cap_ms: str) -> None:
    """Submit and stay."""
    async with AsyncExitStack() as stack:
        here = hire(stack, url, Path(folder))
        cap = int(cap_ms) or None
        made = await here.run(GRAPHS[name], cap_ms=cap, cap_rule=RULE if cap else "")
        sys.stdout.write(f"{made}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
