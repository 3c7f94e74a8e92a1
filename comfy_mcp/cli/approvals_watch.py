"""``approvals watch``: what waits for a person, as it comes and goes."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen, one_line

if TYPE_CHECKING:
    from comfy_mcp.oversight.watching import Watcher
    from comfy_mcp.store.protocol import Store

__all__ = ["parser", "run"]

LOOK_SECONDS = 0.5


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Watch requests come and go until Ctrl-C: on a terminal a table of what waits, with the"
        " time that is left; elsewhere a line for each request and each decision. Nothing is"
        " decided here: `approvals show ID` in another terminal has the commands.",
        f"exit status: 130 ended by Ctrl-C, 143 by SIGTERM\n\nexamples:\n  {program}\n"
        f"  {program} | tee -a requests.log",
    )
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Watch until somebody ends it; where no server was yet, wait for the first.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: the state cannot be read.
    """
    asyncio.run(_watch(Screen(sys.stdout), options.state_of(given, environ)))
    return 0


async def _watch(screen: Screen, folder: Path) -> None:
    from comfy_mcp.oversight.state import opened  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.watching import Watcher  # noqa: PLC0415 - as above

    await _until_there(screen, folder)
    async with opened(folder) as store:
        watcher = Watcher(store)
        if screen.console is None:
            await _lines(screen, watcher, store)
            return
        from comfy_mcp.cli.approvals_live import live  # noqa: PLC0415 - only for a terminal

        await live(screen.console, watcher, store, folder, look_seconds=LOOK_SECONDS)


async def _until_there(screen: Screen, folder: Path) -> None:
    from comfy_mcp.oversight.state import is_there  # noqa: PLC0415 - not for --help

    if is_there(folder):
        return
    screen.say(f"No server has used {folder} yet; waiting.", "yellow")
    while not is_there(folder):  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(LOOK_SECONDS)


async def _lines(screen: Screen, watcher: Watcher, store: Store) -> None:
    from comfy_mcp.cli.approvals_shown import BEGINNING, news_line  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.beginning import beginnings  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.state import now_ms  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.voiding import Revisions  # noqa: PLC0415 - as above

    revisions = Revisions()
    while True:
        at_ms = now_ms()
        seen = (await watcher.look(at_ms)).news
        void = await asyncio.to_thread(revisions.void, [one.row for one in seen])
        starts = await beginnings(store, [one.row for one in seen], at_ms, BEGINNING)
        for news in seen:
            is_void = news.row.approval_id in void
            screen.say(
                one_line(news_line(news, at_ms, starts.get(news.row.approval_id, ""), void=is_void))
            )
        await asyncio.sleep(LOOK_SECONDS)
