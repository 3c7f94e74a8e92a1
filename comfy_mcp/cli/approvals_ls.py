"""``approvals ls``: what waits for a person's word."""

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
    from comfy_mcp.store.asked import ApprovalRow

__all__ = ["parser", "run"]

MOST = 200
"""Requests that are listed."""


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "List the requests that wait for a person, newest first. `approvals show ID` has all about"
        " one.",
        f"examples:\n  {program}\n  {program} --all --grant ci-bot\n"
        f"  {program} --json | jq -r '.approvals[].summary'",
    )
    made.add_argument(
        "--all",
        action="store_true",
        dest="every",
        help=f"decided, used, taken back and expired ones, too; the last {MOST}",
    )
    options.add_only(made, "only what this caller asks for")
    options.add_json(made)
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """List them.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: the state cannot be read.
    """
    from comfy_mcp.oversight.state import is_there  # noqa: PLC0415 - not for --help

    folder = options.state_of(given, environ)
    every: bool = given.every
    if not is_there(folder):
        words = f"Nothing waits: no server has used {folder} yet."
        print(json.dumps({"approvals": []})) if given.as_json else Screen(sys.stdout).say(words)
        return 0
    rows, starts, at_ms = asyncio.run(
        _rows(folder, given.only, every=every, payloads=given.as_json)
    )
    from comfy_mcp.cli.approvals_shown import ASKED, cells, named  # noqa: PLC0415 - not for --help
    from comfy_mcp.cli.approvals_table import table  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.approvals import as_object  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.voiding import VOID, Revisions  # noqa: PLC0415 - as above

    void = Revisions().void(rows)
    if given.as_json:
        told = [{**as_object(row, at_ms), "void": row.approval_id in void} for row in rows]
        print(json.dumps({"approvals": told}))
        return 0
    screen = Screen(sys.stdout)
    if not rows:
        screen.say("Nobody asked for anything." if every else "Nothing waits for you.", "green")
        return 0
    table(
        screen,
        ASKED,
        [
            cells(row, at_ms, starts.get(row.approval_id, ""), void=row.approval_id in void)
            for row in rows
        ],
    )
    if void:
        screen.say(VOID, "yellow")
    if len(rows) == MOST:
        screen.say(f"Only the newest {MOST} are shown.", "yellow")
    screen.say()
    screen.say(f"All about one: {named(folder, 'show', rows[0].approval_id)}")
    return 0


async def _rows(
    folder: Path, grant: str | None, *, every: bool, payloads: bool
) -> tuple[tuple[ApprovalRow, ...], dict[str, str], int]:
    from comfy_mcp.cli.approvals_shown import BEGINNING  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.beginning import beginnings  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.state import now_ms, opened  # noqa: PLC0415 - as above
    from comfy_mcp.store.asked import PENDING  # noqa: PLC0415 - as above

    statuses = None if every else frozenset({PENDING})
    at_ms = now_ms()
    async with opened(folder) as store:
        rows = await store.approvals(
            at_ms, grant=grant, statuses=statuses, count=MOST, payloads=payloads
        )
        return rows, await beginnings(store, rows, at_ms, BEGINNING), at_ms
