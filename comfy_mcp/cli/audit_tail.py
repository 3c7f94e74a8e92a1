"""``audit tail``: the last rows of the audit log."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

if TYPE_CHECKING:
    from comfy_mcp.store.protocol import AuditRow

__all__ = ["parser", "run"]

COUNT = 20
MOST = 100_000


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Show the last rows of the audit log: decisions, before their effect, and outcomes, after"
        " it. Works while servers run.",
        f"examples:\n  {program}\n  {program} -n 100 --denied --grant ci-bot\n"
        f"  {program} --json | jq .record",
    )
    made.add_argument(
        "-n", metavar="N", dest="count", type=_count, default=COUNT, help=f"how many ({COUNT})"
    )
    made.add_argument("--denied", action="store_true", help="only what was not allowed")
    options.add_only(made, "only what this caller did")
    options.add_json(made, "JSON lines as audit export writes them")
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Show them.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: there is no state, or it cannot be read.
    """
    folder = options.state_of(given, environ)
    wanted = partial(_wanted, grant=given.only, denied=given.denied)
    rows = asyncio.run(_rows(folder, given.count, wanted))
    from comfy_mcp.oversight.trail import HEADINGS, cells, line  # noqa: PLC0415 - not for --help

    if given.as_json:
        for row in rows:
            print(line(row))
        return 0
    screen = Screen(sys.stdout)
    if rows:
        screen.table(HEADINGS, [cells(row) for row in rows])
    else:
        screen.say("No such row.")
    return 0


async def _rows(folder: Path, count: int, wanted: partial[bool]) -> list[AuditRow]:
    from comfy_mcp.oversight.state import opened  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.trail import last  # noqa: PLC0415 - as above

    async with opened(folder) as store:
        return await last(store, count, wanted)


def _wanted(row: AuditRow, *, grant: str | None, denied: bool) -> bool:
    if grant is not None and row.record.get("grant") != grant:
        return False
    return not denied or row.record.get("decision") in {"deny", "require_approval"}


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"it must be 1 to {MOST}")
    return int(text)
