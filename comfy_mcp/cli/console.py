"""``console``: a page on this machine, where its operator looks on and decides."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

__all__ = ["parser", "run"]

PORT = 8190
MAX_PORT = 65_535


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Serve the operator's page until Ctrl-C, to this machine only: what agents ask for, with"
        " yes, no and yes-but; jobs, limits, the freeze switch, the audit trail. It prints a link"
        " that signs one browser in. It never submits or stops a job.",
        f"examples:\n  {program}\n  {program} --state /var/lib/guard --host gpu-box:8188\n"
        "\nfrom another machine, forward the port and open the link there:\n"
        f"  ssh -L {PORT}:127.0.0.1:{PORT} THIS-MACHINE",
    )
    made.add_argument("--port", type=_port, default=PORT, help=f"0: any free one (default {PORT})")
    options.add(made, "policy", "host", "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve.

    Raises:
        ConfigError: a setting cannot be used, or the port cannot be had.
    """
    port: int = given.port
    settings = options.settings(given, environ)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="comfy-mcp-guard: %(levelname)s: %(message)s",
    )
    from comfy_mcp.console.app import serve  # noqa: PLC0415 - not for --help

    screen = Screen(sys.stdout)
    asyncio.run(serve(settings, screen.say, port=port, judged_by=options.policies(given)))
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to {MAX_PORT}")
    return int(text)
