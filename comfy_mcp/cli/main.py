"""The command line: a word starts a command; 0 is fine, 1 a check found something, 2 misuse."""

from __future__ import annotations

import difflib
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from comfy_mcp import __version__
from comfy_mcp.cli.commands import COMMANDS, Command
from comfy_mcp.errors import ComfyMCPError, ConfigError
from comfy_mcp.program import PROGRAM

__all__ = ["PROGRAM", "overview", "run"]

INTERRUPTED = 130
PIPE_CLOSED = 141
TERMINATED = 143
"""What shells expect of a program that was ended by SIGINT, SIGPIPE and SIGTERM."""

_SERVE = next(command for command in COMMANDS if command.name == "serve")


def run(argv: Sequence[str]) -> int:
    """Do what *argv* (without the program's name) says; the exit status."""
    _be_lenient()
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        status = _run(list(argv))
        sys.stdout.flush()
    except SystemExit as leaving:
        # argparse has answered, or said what is wrong.
        return leaving.code if isinstance(leaving.code, int) else 2
    except ComfyMCPError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what is left in the buffer must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    finally:
        # Once it was told to end, it ends as such, however often it is told.
        if signal.getsignal(signal.SIGTERM) is _terminate:
            signal.signal(signal.SIGTERM, before)
    return status


def overview() -> str:
    """The help for the whole program."""
    width = max(len(command.shown) for command in COMMANDS)
    lines = [
        f"{PROGRAM} {__version__}: ComfyUI for AI agents, with its owner in charge.",
        "",
        f"Usage: {PROGRAM} [COMMAND] [OPTIONS]",
    ]
    for group in dict.fromkeys(command.group for command in COMMANDS):
        lines += ["", f"{group}:"]
        lines += _lines([one for one in COMMANDS if one.group == group], width)
    return "\n".join([*lines, "", *_TAIL])


def _lines(commands: Sequence[Command], width: int = 0) -> list[str]:
    width = width or max(len(command.shown) for command in commands)
    return [f"  {command.shown:<{width}}  {command.summary}" for command in commands]


_TAIL = (
    "Options:",
    "  -h, --help            This page; after a command, the help for that command.",
    "  --version             The version.",
    "",
    "Example, from nothing to a client that can use it:",
    f"  {PROGRAM} demo",
    f"  {PROGRAM} doctor --host 127.0.0.1:8188",
    f"  {PROGRAM} config claude-desktop",
    "",
    f"Without a command it is the MCP server: `{PROGRAM} --policy FILE` serves.",
)


def _run(argv: list[str]) -> int:
    if argv and argv[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if argv[1:] in (["-h"], ["--help"], ["help"]) and (family := _family(argv[0])):
        print("\n".join(_lines(family)))
        return 0
    if argv and argv[0] == "--version":
        print(f"{PROGRAM} {__version__}")
        return 0
    command, rest = _command(argv)
    # Late: nothing is loaded for a command that was not asked for.
    module: Any = import_module(f"comfy_mcp.cli.{command.module}")
    given = module.parser(f"{PROGRAM} {command.name}").parse_args(rest)
    status: int = module.run(given, os.environ)
    return status


def _command(argv: list[str]) -> tuple[Command, list[str]]:
    """The command that *argv* names and the words after it; options alone mean serve."""
    if not argv or argv[0].startswith("-"):
        return _SERVE, argv
    for command in COMMANDS:
        words = command.name.split()
        if argv[: len(words)] == words:
            return command, argv[len(words) :]
    raise ConfigError(_unknown(argv))


def _family(word: str) -> list[Command]:
    """The commands whose first of two words is *word*."""
    return [command for command in COMMANDS if command.name.startswith(f"{word} ")]


def _unknown(argv: list[str]) -> str:
    if family := _family(argv[0]):
        said, known = " ".join(argv[:2]), [command.name for command in family]
        close = difflib.get_close_matches(said, known, 1) if argv[1:] else []
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}."
        return f"There is no command {said[:80]!r}; {hint}"
    names = [command.name for command in COMMANDS]
    typed = [" ".join(argv[:2]), argv[0]] if argv[1:] else [argv[0]]
    near = [name for text in typed for name in difflib.get_close_matches(text, names, 1)]
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"There is no command {argv[0][:80]!r}{hint} {PROGRAM} --help lists them all."


def _terminate(number: int, _frame: object) -> None:
    # Some, such as timeout, send it twice; the second one must not break off the cleaning up.
    signal.signal(number, signal.SIG_IGN)
    # An exception, so that temporary folders go and processes end.
    sys.exit(TERMINATED)


def _be_lenient() -> None:
    """Never fail because a terminal cannot show a letter."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
