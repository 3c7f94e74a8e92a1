"""``policy check``: every fault of policy files, before a server would refuse them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from comfy_mcp.cli.options import add_json, new_parser
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
    add_json(made)
    return made


def run(given: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Check the files; 0 without faults, 1 with."""
    from comfy_mcp.guard.loading import load  # noqa: PLC0415 - --help does not need it

    files: list[Path] = given.files
    try:
        loaded = load(files)
    except ConfigError as error:
        return _tell_faults(files, error, as_json=given.as_json)
    if given.as_json:
        _print(list(loaded.sources), list(loaded.warnings))
        return 0
    screen = Screen(sys.stdout)
    screen.say(f"ok: {', '.join(loaded.sources)}", "green")
    for warning in loaded.warnings:
        screen.say(f"warning: {warning}", "yellow")
    return 0


def _tell_faults(files: list[Path], error: ConfigError, *, as_json: bool) -> int:
    if as_json:
        faults = [asdict(fault) for fault in error.faults]
        _print([str(file) for file in files], [], faults or [{"where": "", "cause": str(error)}])
    else:
        Screen(sys.stdout).say(str(error), "red")
    return 1


def _print(
    sources: list[str], warnings: list[str], faults: Sequence[Mapping[str, str]] = ()
) -> None:
    found = {"ok": not faults, "sources": sources, "warnings": warnings, "faults": list(faults)}
    print(json.dumps(found))
