"""``policy explain``: what would become of a call, and which rule says so."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen
from comfy_mcp.errors import ConfigError
from comfy_mcp.settings import Settings

if TYPE_CHECKING:
    from comfy_mcp.cli.explaining import Explained

__all__ = ["parser", "run"]

OWNERS = {"mine": "mine", "other": "other agent", "human": "human"}

MAX_BYTES = 20 * 1024 * 1024


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Judge a call as the server would, without making it: the facts of its workflow, every"
        " step of the decision, the rule that decides, and how full its limits are. Changes"
        " nothing.",
        "exit status: 0 the call would be made, 1 it would not\n\n"
        f"examples:\n  {program} run_workflow --args call.json --policy policy.json\n"
        f"  {program} run_workflow --args - --host 127.0.0.1:8188 < call.json\n"
        f"  {program} interrupt_execution --owner human --at 2026-12-24T18:00:00+01:00",
    )
    made.add_argument("tool", metavar="TOOL", help="name of the tool, or an alias")
    made.add_argument(
        "--args", metavar="FILE", help="the call's arguments, a JSON object; - reads stdin"
    )
    options.add_shared(made)
    made.add_argument(
        "--owner", choices=tuple(OWNERS), help="whose job the call is about (default: mine)"
    )
    made.add_argument(
        "--at",
        metavar="TIME",
        type=_time,
        help="judge as if at this time, such as 2026-12-24T18:00:00+01:00 (default: now)",
    )
    options.add_json(made)
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Explain one call.

    Raises:
        ConfigError: a setting, a policy file or an argument of the call cannot be used.
        WorkflowError: the workflow or its parameters cannot be sent as they are.
        StateError: the state is there and cannot be read.
    """
    settings = options.settings(given, environ)
    args = _arguments(given.tool, given.args)
    explained = asyncio.run(_explain(settings, given, args))
    from comfy_mcp.cli.explained import as_object, show  # noqa: PLC0415 - not for --help

    if given.as_json:
        print(json.dumps(as_object(explained), default=str))
    else:
        show(Screen(sys.stdout), explained)
    return 0 if explained.let_through else 1


async def _explain(
    settings: Settings, given: argparse.Namespace, args: dict[str, Any]
) -> Explained:
    from comfy_mcp.cli.explaining import Asking, explain  # noqa: PLC0415 - not for --help
    from comfy_mcp.guard.loading import load  # noqa: PLC0415 - as above

    asking = Asking(
        tool=given.tool,
        args=args,
        owner=OWNERS.get(given.owner or ""),
        at_ms=given.at,
        ask_host=given.host is not None,
    )
    return await explain(settings, load(settings.policies), asking)


def _arguments(tool: str, source: str | None) -> dict[str, Any]:
    from comfy_mcp.cli.arguments import complete  # noqa: PLC0415 - not for --help

    text = "{}" if source is None else _read(source)
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The arguments are no JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ConfigError('The arguments must be a JSON object, such as {"workflow": "txt2img"}.')
    return complete(tool, cast("dict[str, Any]", value))


def _read(source: str) -> str:
    try:
        if source == "-":
            return sys.stdin.read(MAX_BYTES)
        with Path(source).open(encoding="utf-8") as file:
            return file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The arguments cannot be read from {source}: {error}.") from error


def _time(text: str) -> int:
    from comfy_mcp.cli.times import milliseconds, read  # noqa: PLC0415 - not for --help

    try:
        return milliseconds(read(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
