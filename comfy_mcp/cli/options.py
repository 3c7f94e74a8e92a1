"""Options that several commands share: each overrides the environment variable of its name."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import sysconfig
import textwrap
from collections.abc import Mapping
from pathlib import Path

from comfy_mcp.settings import Settings, read

__all__ = [
    "add_shared",
    "called",
    "environment",
    "installed",
    "new_parser",
    "policies",
    "repeated",
    "settings",
]

PROGRAM = "comfy-mcp-guard"
WIDTH = 78

VARIABLE_OF = {
    "grant": "COMFY_MCP_GRANT",
    "state": "COMFY_MCP_STATE",
    "host": "COMFYUI_HOST",
    "protocol": "COMFY_MCP_PROTOCOL",
}


def new_parser(program: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    """A parser whose help keeps the lines of *epilog* and that takes no shortened options."""
    return argparse.ArgumentParser(
        prog=program,
        description=textwrap.fill(description, WIDTH),
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Options of every command that works with the settings of a server."""
    parser.add_argument(
        "--policy",
        metavar="FILE",
        action="append",
        type=_text,
        help="policy file; several are one policy (COMFY_MCP_POLICY)",
    )
    parser.add_argument(
        "--host",
        metavar="HOST",
        type=_text,
        help="where ComfyUI is: host, host:port, a URL, or embedded (COMFYUI_HOST)",
    )
    parser.add_argument(
        "--grant",
        metavar="NAME",
        type=_text,
        help="name of the caller, who owns its jobs and limits (COMFY_MCP_GRANT)",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        type=_text,
        help="folder of limits, job journal and audit log, as an absolute path (COMFY_MCP_STATE)",
    )


def environment(given: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* with what was *given* on the command line laid over it."""
    options: dict[str, str | None] = vars(given)
    over = {VARIABLE_OF[name]: options.get(name) for name in VARIABLE_OF}
    return {**environ, **{name: value for name, value in over.items() if value is not None}}


def repeated(given: argparse.Namespace) -> str:
    """The shared options that were *given*, to be printed behind another command."""
    words = [word for path in policies(given) for word in ("--policy", str(path))]
    for name in ("host", "grant", "state"):
        value: str | None = vars(given).get(name)
        words += [] if value is None else [f"--{name}", value]
    return shlex.join(words)


def policies(given: argparse.Namespace) -> tuple[Path, ...]:
    """The policy files of the command line."""
    named: list[str] = given.policy or []
    return tuple(Path(name).expanduser() for name in named)


def settings(given: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """The settings that the command line and *environ* make together.

    Raises:
        ConfigError: a value cannot be used.
    """
    return read(environment(given, environ), policies=policies(given))


def called() -> str:
    """How a person at this machine calls the program; hints are commands that work as printed."""
    return PROGRAM if shutil.which(PROGRAM) else shlex.join(installed())


def installed() -> list[str]:
    """How this very installation is started from anywhere: absolute, links left as they are."""
    found = shutil.which(PROGRAM, path=sysconfig.get_path("scripts")) or shutil.which(PROGRAM)
    return [os.path.abspath(found)] if found else [sys.executable, "-m", "comfy_mcp"]  # noqa: PTH100 - resolve() follows links


def _text(value: str) -> str:
    # An empty variable in a script must not silently mean "no policy named".
    if not value.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return value
