"""``audit export``: the audit log as JSON lines, and the hash to be kept elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import clean
from comfy_mcp.errors import ConfigError

if TYPE_CHECKING:
    from comfy_mcp.store.chain import Walk

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Write the audit log as JSON lines, checked on the way. At the end the head is printed on"
        " stderr as SEQ:HASH: keep it where nobody who can write the state can, and give it to"
        " audit verify --head.",
        "exit status: 0 written, 1 the log was changed (all rows are written all the same)\n\n"
        f"examples:\n  {program} --output audit.jsonl\n  {program} --after 1500 | gzip > more.gz",
    )
    made.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write a new file with mode 0600 (default: stdout)",
    )
    made.add_argument(
        "--after", metavar="SEQ", type=_seq, default=0, help="only rows after this one"
    )
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Write it.

    Raises:
        ConfigError: the path of the state cannot be used, or the output file is there already.
        StateError: there is no state, or it cannot be read.
    """
    folder = options.state_of(given, environ)
    output: Path | None = given.output
    walk = asyncio.run(_export(folder, output, given.after))
    if walk.fault is not None:
        print(f"The audit log was changed: {clean(walk.fault)}.", file=sys.stderr)
        return 1
    if walk.rows == given.after:
        print("There are no such rows, so there is no head.", file=sys.stderr)
        return 0
    print(f"head {walk.rows}:{walk.hash}", file=sys.stderr)
    return 0


async def _export(folder: Path, output: Path | None, after: int) -> Walk:
    from comfy_mcp.cli.proof import begin, go_on  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.state import opened  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.trail import forwards, line  # noqa: PLC0415 - as above
    from comfy_mcp.store.chain import Walk  # noqa: PLC0415 - as above

    walk = Walk(rows=after)
    first = True
    async with opened(folder) as store:
        end = (await store.head()).seq
        with _writing(output) as out:
            async for row in forwards(store, after, end):
                if first:
                    walk = begin(row, after)
                    first = False
                walk = go_on(walk, row)
                out.write(line(row) + "\n")
    return walk


@contextmanager
def _writing(output: Path | None) -> Generator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{output} is there already and is not overwritten: name another file."
        ) from None
    except OSError as error:
        raise ConfigError(f"{output} cannot be written ({error.strerror}).") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        yield file


def _seq(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("it must be the number of a row")
    return int(text)
