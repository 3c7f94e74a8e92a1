"""``serve``: the MCP server on stdin and stdout."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Mapping

from comfy_mcp.cli import options
from comfy_mcp.settings import VARIABLES

__all__ = ["parser", "run"]

SIGNALLED = 128
"""Plus the number of the signal: the exit status that shells expect."""

GRACE_SECONDS = 1.0
"""How long an interrupted server may take to give back what is open."""

WAITING = "This is an MCP server waiting for a client on stdin. Try `{0} demo` or `{0} --help`."


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    rows = "\n".join(f"  {name}\n      {_plain(text)}" for name, text in VARIABLES.items())
    made = options.new_parser(
        program,
        "Speak MCP on stdin and stdout. A client starts this; see `comfy-mcp-guard config`.",
        f"environment:\n{rows}\n\nexample:\n  {program} --policy policy.json --grant alice",
    )
    options.add_shared(made)
    options.add_offer(made)
    made.add_argument(
        "--protocol",
        choices=("auto", "legacy"),
        help="legacy: only the older handshake, for clients that cannot fall back"
        " (COMFY_MCP_PROTOCOL)",
    )
    made.add_argument(
        "--on-bad-reload",
        choices=("keep", "freeze"),
        help="what to do when the policy file is edited and cannot be used any more: keep the last"
        " good one, or refuse everything until it can (COMFY_MCP_ON_BAD_RELOAD)",
    )
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Serve until the client goes.

    Raises:
        ConfigError: a setting or a policy file cannot be used.
    """
    settings = options.settings(given, environ)
    if sys.stdin.isatty():
        print(WAITING.format(options.called()), file=sys.stderr)
    # Nothing that is imported now is garbage; looking for some costs a tenth of the start-up.
    # serve() switches it on again.
    gc.disable()
    from comfy_mcp.server import serve  # noqa: PLC0415 - what is wrong above is told at once

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    serve(settings)
    return 0


def _end(number: int, _frame: object) -> None:
    # The thread that reads stdin cannot be interrupted: without this, Ctrl-C on a terminal would
    # do nothing until the next line is typed. A second signal ends it at once.
    status = SIGNALLED + number
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, lambda _number, _frame: os._exit(status))
    late = threading.Timer(GRACE_SECONDS, os._exit, (status,))
    late.daemon = True
    late.start()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        sys.exit(status)
    # Raised right here it would end up in whichever task is at work, and be told as its error.
    loop.call_soon_threadsafe(sys.exit, status)


def _plain(text: str) -> str:
    return text.replace("`", "")
