"""``policy check``: every fault of policy files, before a server would refuse them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from comfy_mcp.cli.options import new_parser
from comfy_mcp.cli.screen import Screen
from comfy_mcp.errors import ConfigError

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = new_parser(
        program,
        "Load policy files together, as the server would, and list every fault at once.",
        "exit status: 0 no fault (warnings are fine), 1 faults\n\n"
        f"example:\n  {program} policy.json",
    )
    made.add_argument("files", metavar="FILE", nargs="+", type=Path, help="policy file")
    return made


def run(given: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Check the files; 0 without faults, 1 with."""
    from comfy_mcp.guard.loading import load  # noqa: PLC0415 - --help does not need it

    screen = Screen(sys.stdout)
    files: list[Path] = given.files
    try:
        loaded = load(files)
    except ConfigError as error:
        screen.say(str(error), "red")
        return 1
    screen.say(f"ok: {', '.join(loaded.sources)}", "green")
    for warning in loaded.warnings:
        screen.say(f"warning: {warning}", "yellow")
    return 0
