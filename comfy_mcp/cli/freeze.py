"""``freeze``: every call is refused from the next one on, in all servers of this state."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

if TYPE_CHECKING:
    from comfy_mcp.store.protocol import Store

__all__ = ["parser", "run", "show"]

EVERYBODY = "*"


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Refuse every call, from the next one on, in all running servers that use the state."
        " Jobs that ComfyUI has already go on: cancel them in ComfyUI. unfreeze ends it.",
        f'examples:\n  {program} --reason "Rendering for a customer until six."\n'
        f"  {program} --grant ci-bot --keep-reads",
    )
    options.add_only(made, "freeze this caller only (default: everybody)")
    made.add_argument(
        "--keep-reads", action="store_true", help="let agents go on looking: refuse only changes"
    )
    made.add_argument("--reason", metavar="TEXT", default="", help="told to agents")
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Freeze.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: the state cannot be written; nothing is frozen.
    """
    folder = options.state_of(given, environ)
    grant: str = given.only or EVERYBODY
    keep_reads: bool = given.keep_reads
    reason: str = given.reason
    asyncio.run(_freeze(Screen(sys.stdout), folder, grant, reason, keep_reads))
    return 0


async def _freeze(screen: Screen, folder: Path, grant: str, reason: str, keep_reads: bool) -> None:
    from comfy_mcp.oversight import freezing  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.state import now_ms, opened  # noqa: PLC0415 - as above

    async with opened(folder) as store:
        await freezing.freeze(store, now_ms(), grant, keep_reads=keep_reads, reason=reason)
        await show(screen, store)
        known = {account.holder for account in await store.accounts()}
    if grant != EVERYBODY and grant not in known:
        screen.say(
            f"Nothing was ever counted for {grant!r} in {folder}: see that the name is right.",
            "yellow",
        )


async def show(screen: Screen, store: Store) -> None:
    """Say what is frozen now."""
    from comfy_mcp.oversight.freezing import in_words  # noqa: PLC0415 - not for --help

    freezes = await store.freezes()
    if not freezes:
        screen.say("Nothing is frozen.", "green")
    for freeze in freezes:
        screen.say(in_words(freeze), "bold cyan")
