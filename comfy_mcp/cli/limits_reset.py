"""``limits reset``: what was counted is forgotten, and that is written down."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Forget what was counted, at once and for good; the audit log keeps a row about it. GPU"
        " time of jobs that have not ended stays counted.",
        f"examples:\n  {program} --counter executes --grant ci-bot\n  {program} --all",
    )
    which = made.add_mutually_exclusive_group(required=True)
    which.add_argument("--counter", metavar="C", help="this counter only, as limits show names it")
    which.add_argument(
        "--all", action="store_true", dest="every", help="every counter, and cool-downs"
    )
    options.add_only(made, "only what counts for this caller (default: for anybody)")
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Forget it.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: there is no state, or it cannot be written; nothing is forgotten.
    """
    folder = options.state_of(given, environ)
    asyncio.run(_reset(Screen(sys.stdout), folder, given.counter, given.only))
    return 0


async def _reset(screen: Screen, folder: Path, counter: str | None, grant: str | None) -> None:
    from comfy_mcp.oversight.state import by_operator, now_ms, opened  # noqa: PLC0415 - not for --help

    record = by_operator("reset", counter=counter, grant=grant)
    async with opened(folder) as store:
        count = await store.reset(now_ms(), record, counter=counter, holder=grant)
        names = sorted({account.counter for account in await store.accounts()})
    what = counter or "every counter"
    whose = grant or "everybody"
    screen.say(f"{count} {'row' if count == 1 else 'rows'} of {what} forgotten for {whose}.")
    if count == 0 and counter is not None and counter not in names and names:
        screen.say(f"Counters that hold something: {', '.join(names)}.", "yellow")
