"""A server process that asks a person, or spends a yes, and stays there until it is killed.

Called with the state folder and how far it goes: "asked" (the request is parked) or "admitted" (the
yes is spent and the body of the call runs, which would send it). It says so on stdout.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from comfy_mcp.store.sqlite import SqliteStore
from tests.guard.gatehouse import Bench
from tests.guard.person import ALL, House, run

__all__ = ["main"]


def say(word: str) -> None:
    """Tell who reads how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(folder: str, step: str) -> None:
    """Go as far as *step* and stay."""
    bench = Bench(SqliteStore(Path(folder)), ALL)
    if step == "asked":
        say((await House(bench).asked(run(1))).approval_id)
        await asyncio.Event().wait()
    bench.number = 100
    async with bench.gate.admit(run(2)):
        say("admitted")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
