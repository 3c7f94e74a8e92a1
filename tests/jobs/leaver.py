"""A server process that submits one job and follows it until it is killed, at a chosen step.

Called with the URL of ComfyUI, the state folder, the name of a graph, its cap in ms (0: none), and
how far it goes: "admitted" (it never sends the job), "sending" (the job is named before it is sent)
or "submitted". The job is named on stdout.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from tests.jobs.offices import GRAPHS, QUICK, RULE, hire

__all__ = ["main"]


def say(made: str) -> None:
    """Name the job to who reads."""
    sys.stdout.write(f"{made}\n")
    sys.stdout.flush()


async def main(url: str, folder: str, name: str, cap_ms: str, step: str = "submitted") -> None:
    """Submit and stay."""
    async with AsyncExitStack() as stack:
        # A job whose answer is not there is not looked for while this is about to be killed.
        here = hire(stack, url, Path(folder), pace=replace(QUICK, patience=60))
        cap, graph = int(cap_ms) or None, GRAPHS[name]
        made, permit = await here.admit(graph, cap_ms=cap, cap_rule=RULE if cap else "")
        if step != "submitted":
            say(made)
        if step != "admitted":
            await here.submit(graph, made, permit)
        if step == "submitted":
            say(made)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
