"""How the program is called on this machine: hints to people are commands that work as printed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

__all__ = ["PROGRAM", "called", "command", "installed"]

PROGRAM = "comfy-mcp-guard"


def called() -> str:
    """How a person at this machine calls the program; hints are commands that work as printed."""
    return PROGRAM if shutil.which(PROGRAM) else shlex.join(installed())


def installed() -> list[str]:
    """How this very installation is started from anywhere: absolute, links left as they are."""
    found = shutil.which(PROGRAM, path=sysconfig.get_path("scripts")) or shutil.which(PROGRAM)
    return [os.path.abspath(found)] if found else [sys.executable, "-m", "comfy_mcp"]  # noqa: PTH100 - resolve() follows links


def command(*words: str, state: Path, default_state: Path) -> str:
    """A command that does the same in every shell of this machine, in whatever folder: quoted.

    The folder *state* is named unless it is *default_state*, which is what a shell without any
    settings of ours would take.
    """
    where = [] if state == default_state else ["--state", str(state)]
    return shlex.join([*installed(), *words, *where])
