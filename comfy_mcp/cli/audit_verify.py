"""``audit verify``: was a row of the audit log edited, dropped or swapped?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen
from comfy_mcp.errors import ConfigError

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Walk the hash chain of the audit log, or of an exported FILE, without any state. Whoever"
        " can write the state can also make a new chain, or drop its end: only a head that was"
        " kept elsewhere shows that.",
        "exit status: 0 whole, 1 not\n\n"
        f"examples:\n  {program}\n  {program} --head 214:9f2c...\n  {program} audit.jsonl",
    )
    made.add_argument("file", metavar="FILE", nargs="?", type=Path, help="what audit export wrote")
    made.add_argument(
        "--head",
        metavar="SEQ:HASH",
        type=_head,
        help="this row has to be there still, as audit export once printed it",
    )
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Check the chain.

    Raises:
        ConfigError: the path of the state cannot be used, or the file cannot be read.
        StateError: there is no state, or it cannot be read.
    """
    file: Path | None = given.file
    if file is not None:
        what, fault = _check_file(file, given.head)
    else:
        folder = options.state_of(given, environ)
        what, fault = asyncio.run(_check_state(folder, given.head))
    screen = Screen(sys.stdout)
    if fault is not None:
        screen.say(f"The audit log was changed: {fault}.", "bold red")
        screen.say("Keep a copy of the state folder, and find out who could write there.")
        return 1
    screen.say(f"The audit chain is whole: {what}.", "green")
    return 0


def _check_file(file: Path, head: tuple[int, str] | None) -> tuple[str, str | None]:
    from comfy_mcp.cli.proof import check_lines  # noqa: PLC0415 - not for --help

    try:
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            found = check_lines(lines, head)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}): correct its path.") from error
    if found.first == 0:
        return "there are no rows", found.fault
    return f"rows {found.first} to {found.last}, head {found.last}:{found.hash}", found.fault


async def _check_state(folder: Path, head: tuple[int, str] | None) -> tuple[str, str | None]:
    from comfy_mcp.oversight.state import opened  # noqa: PLC0415 - not for --help

    async with opened(folder) as store:
        rows, fault = await store.verify(head)
        end = await store.head()
    return f"{rows} rows, head {end.seq}:{end.hash}", fault


def _head(text: str) -> tuple[int, str]:
    from comfy_mcp.cli.proof import head_of  # noqa: PLC0415 - not for --help

    try:
        return head_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
