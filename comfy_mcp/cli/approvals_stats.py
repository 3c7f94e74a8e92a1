"""``approvals stats``: how often people were asked, and what they said."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

if TYPE_CHECKING:
    from comfy_mcp.store.asked import Figure

__all__ = ["parser", "run"]

DAY_MS = 86_400_000
MOST_DAYS = 36_500


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Count the requests by caller and by tool: asked, approved (spent of them), denied, expired"
        " without an answer, taken back, pending, and the median time to an answer. Somebody who"
        " approves everything at once may as well change the policy.",
        f"examples:\n  {program}\n  {program} --days 7 --json",
    )
    made.add_argument(
        "--days", metavar="N", type=_days, help="only what was asked in the last N days"
    )
    options.add_json(made)
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Count them.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: there is no state, or it cannot be read.
    """
    folder = options.state_of(given, environ)
    days: int | None = given.days
    since_ms, figures = asyncio.run(_figures(folder, days))
    from comfy_mcp.oversight import figures as told  # noqa: PLC0415 - not for --help

    if given.as_json:
        print(json.dumps(told.as_object(figures, since_ms)))
        return 0
    screen = Screen(sys.stdout)
    if figures:
        screen.table(told.HEADINGS, told.rows(figures))
    else:
        screen.say("Nobody asked for anything." if days is None else "Nobody asked in that time.")
    return 0


async def _figures(folder: Path, days: int | None) -> tuple[int, tuple[Figure, ...]]:
    from comfy_mcp.oversight.state import now_ms, opened  # noqa: PLC0415 - not for --help

    at_ms = now_ms()
    since_ms = 0 if days is None else at_ms - days * DAY_MS
    async with opened(folder) as store:
        return since_ms, await store.approval_figures(at_ms, since_ms=since_ms)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"it must be 1 to {MOST_DAYS}")
    return int(text)
