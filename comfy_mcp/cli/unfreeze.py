"""``unfreeze``: what ``freeze`` ordered is taken back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from comfy_mcp.cli import options
from comfy_mcp.cli.freeze import EVERYBODY, show
from comfy_mcp.cli.screen import Screen

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Take a freeze back, from the next call on. The freeze of everybody and that of one caller"
        " are two: each has to be taken back by itself.",
        "exit status: 0 taken back, 1 there was no such freeze\n\n"
        f"examples:\n  {program}\n  {program} --grant ci-bot",
    )
    options.add_only(made, "take back the freeze of this caller (default: that of everybody)")
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Unfreeze.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: the state cannot be written; what was frozen still is.
    """
    grant: str = given.only or EVERYBODY
    folder = options.state_of(given, environ)
    return asyncio.run(_unfreeze(Screen(sys.stdout), folder, grant))


async def _unfreeze(screen: Screen, folder: Path, grant: str) -> int:
    from comfy_mcp.oversight import freezing  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.state import now_ms, opened  # noqa: PLC0415 - as above

    async with opened(folder) as store:
        found = await freezing.unfreeze(store, now_ms(), grant)
        if not found:
            whose = "everybody" if grant == EVERYBODY else repr(grant)
            screen.say(f"There was no freeze of {whose}.", "yellow")
        elif grant == EVERYBODY:
            screen.say("Unfrozen: the freeze of everybody has ended.", "green")
        else:
            screen.say(f"Unfrozen: the freeze of {grant!r} has ended.", "green")
        await show(screen, store)
    return 0 if found else 1
