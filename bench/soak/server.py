"""The server as ``serve`` runs it, with a report of what it still held at its end.

``server.py REPORT``: a JSON file with its pid as soon as it has one, and the rest when it ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from comfy_mcp import server as house
from comfy_mcp.settings import read
from comfy_mcp.tools.front import GuardedServer

DESCRIPTORS = Path("/proc/self/fd")
WIRE = {os.readlink(DESCRIPTORS / end) for end in "01"} if DESCRIPTORS.exists() else set[str]()  # noqa: PTH115 - see below

SECONDS = 1.0
"""In which what was told to end has to have ended; clients kill a server that takes two."""


async def main(server: GuardedServer, report: Path) -> None:
    """Serve, and look round afterwards, while the event loop still runs."""
    before = _descriptors()
    await house._run_stdio(server, False)  # noqa: SLF001 - serve() would end the loop with it  # pyright: ignore[reportPrivateUsage]
    await _until(lambda: not _tasks() and not _descriptors() - before)
    left = {
        "pid": os.getpid(),
        "tasks": [str(task) for task in _tasks()],
        "descriptors": sorted(_descriptors() - before),
    }
    await anyio.Path(report).write_text(json.dumps(left), encoding="utf-8")


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        gc.collect()
        await asyncio.sleep(0.05)


def _tasks() -> set[asyncio.Task[object]]:
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


def _descriptors() -> set[str]:
    """Number and target of all that is open, but the wire.

    The SDK's copies of stdin and stdout end with the process.
    """
    found: set[str] = set()
    for entry in DESCRIPTORS.iterdir() if DESCRIPTORS.exists() else ():
        try:
            target = os.readlink(entry)  # noqa: PTH115 - not a path: socket:[1]
        except FileNotFoundError:
            continue  # the one that this listing needed
        if target not in WIRE:
            found.add(f"{entry.name}: {target}")
    return found


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    written = Path(sys.argv[1])
    made, _ = house.build(read(os.environ))
    gc.freeze()
    written.write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
    anyio.run(main, made, written)
