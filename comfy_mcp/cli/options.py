"""Options that several commands share: each overrides the environment variable of its name."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from comfy_mcp.program import called, installed
from comfy_mcp.settings import TOOLSETS, Settings, read

__all__ = [
    "add",
    "add_json",
    "add_offer",
    "add_only",
    "add_request",
    "add_shared",
    "called",
    "environment",
    "installed",
    "new_parser",
    "policies",
    "repeated",
    "settings",
    "state_of",
]

WIDTH = 78

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

VARIABLE_OF = {
    "grant": "COMFY_MCP_GRANT",
    "state": "COMFY_MCP_STATE",
    "host": "COMFYUI_HOST",
    "protocol": "COMFY_MCP_PROTOCOL",
    "on_bad_reload": "COMFY_MCP_ON_BAD_RELOAD",
    "toolsets": "COMFY_MCP_TOOLSETS",
    "read_only": "COMFY_MCP_READ_ONLY",
    "workflow_tools": "COMFY_MCP_WORKFLOW_TOOLS",
    "image_responses": "COMFY_MCP_IMAGE_RESPONSES",
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


_SHARED: Mapping[str, Mapping[str, Any]] = {
    "policy": {
        "metavar": "FILE",
        "action": "append",
        "help": "policy file; several are one policy (COMFY_MCP_POLICY)",
    },
    "host": {
        "metavar": "HOST",
        "help": "where ComfyUI is: host, host:port, a URL, or embedded (COMFYUI_HOST)",
    },
    "grant": {
        "metavar": "NAME",
        "help": "name of the caller, who owns its jobs and limits (COMFY_MCP_GRANT)",
    },
    "state": {
        "metavar": "DIR",
        "help": "folder of limits, job journal and audit log"
        " (COMFY_MCP_STATE, there as an absolute path)",
    },
}


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Options of every command that works with the settings of a server."""
    for name in _SHARED:
        add(parser, name)


def add(parser: argparse.ArgumentParser, *names: str) -> None:
    """Some of the options that several commands share, by their names."""
    for name in names:
        parser.add_argument(f"--{name}", type=_TYPES.get(name, _text), **_SHARED[name])


def add_offer(parser: argparse.ArgumentParser) -> None:
    """What a server offers to its client, whatever the policy allows besides."""
    parser.add_argument(
        "--toolsets",
        metavar="NAMES",
        type=_text,
        help=f"groups of tools to offer, with commas between: {','.join(TOOLSETS)}"
        " (COMFY_MCP_TOOLSETS)",
    )
    parser.add_argument(
        "--read-only",
        action="store_const",
        const="yes",
        help="only tools that change nothing, whatever else is said (COMFY_MCP_READ_ONLY)",
    )
    parser.add_argument(
        "--workflow-tools",
        action="store_const",
        const="yes",
        help="each workflow of the library is a tool of its own, too (COMFY_MCP_WORKFLOW_TOOLS)",
    )
    parser.add_argument(
        "--image-responses",
        choices=("inline", "link", "omit"),
        help="how view_output shows a picture (COMFY_MCP_IMAGE_RESPONSES)",
    )


def add_only(parser: argparse.ArgumentParser, words: str) -> None:
    """``--grant`` where it picks *only* one caller among all; *words* are its help."""
    parser.add_argument("--grant", dest="only", metavar="NAME", type=_grant, help=words)


def add_request(parser: argparse.ArgumentParser) -> None:
    """The id of a request to a person."""
    parser.add_argument("request", metavar="ID", type=_text, help="of the request: apr_...")


def add_json(parser: argparse.ArgumentParser, words: str = "print one JSON object") -> None:
    """``--json``: for programs."""
    parser.add_argument("--json", action="store_true", dest="as_json", help=words)


def environment(given: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* with what was *given* on the command line laid over it."""
    options: dict[str, str | None] = vars(given)
    over = {variable: options.get(name) for name, variable in VARIABLE_OF.items()}
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


def state_of(given: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """The state folder, whatever else of *environ* cannot be used.

    Raises:
        ConfigError: its path cannot be used.
    """
    named = {"COMFY_MCP_STATE": environ.get("COMFY_MCP_STATE", "")}
    over: str | None = given.state
    return read(named if over is None else {"COMFY_MCP_STATE": over}, policies=(Path(),)).state


def _grant(value: str) -> str:
    # A name that nobody can have would freeze nobody, and say that it did.
    if not _NAME.fullmatch(value):
        raise argparse.ArgumentTypeError("it must be 1 to 64 letters, digits, '.', '-' or '_'")
    return value


def _text(value: str) -> str:
    # An empty variable in a script must not silently mean "no policy named".
    if not value.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return value


def _folder(value: str) -> str:
    """A relative path counts from where the command was typed; `~` is for whoever reads it."""
    given = _text(value)
    return given if given.startswith("~") else os.path.abspath(given)  # noqa: PTH100 - resolve() follows links


_TYPES: Mapping[str, Callable[[str], str]] = {"state": _folder}
