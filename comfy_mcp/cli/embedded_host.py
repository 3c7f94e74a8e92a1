"""``embedded``: the demo ComfyUI host alone, with weather to order."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from comfy_mcp.cli.options import new_parser
from comfy_mcp.cli.screen import Screen
from comfy_mcp.embedded import CLOUD_KEY, PROFILES, BadAnswer, EmbeddedHost, Faults
from comfy_mcp.embedded.faults import ANSWERS, SOCKETS
from comfy_mcp.errors import ConfigError

__all__ = ["FAULTS", "faults", "parser", "run"]

MAX_PORT = 65_535

FAULTS: Mapping[str, str] = {
    "lost_cancel_ms": "time in which a cancel is answered and lost, as a job starts",
    "deaf_ms": "every node takes at least this long and hears no interrupt",
    "success_before_history_ms": "time between the end of a job and its history entry",
    "lose_answer": "drop the connection of POST /prompt before or after the job was accepted",
    "answer_delay_ms": "delay of the answer to POST /prompt",
    "socket": "what the websocket does: answer 500, accept and be silent, answer no ping either,"
    " hang up, send garbage, or send far too much",
    "dead_worker": "the next job to start kills the worker and runs for ever",
    "node_ms": "every node takes at least this long and hears an interrupt at its end",
    "step_ms": "extra time per sampling step",
    "http": "a wrong answer, such as '502', '500,path=/prompt,times=1' or 'slow,delay_ms=900';"
    " may be given several times, the first that matches counts",
    "takeover_fixed": "a second websocket of a client survives the first, unlike ComfyUI's",
    "blocked_publisher": "a websocket client that does not read holds up all others, as in ComfyUI"
    " (on unless you turn it off)",
}
"""What the help says of each field of `Faults`."""

CHOICES = {"lose_answer": ("before", "after"), "socket": SOCKETS}


BAD_ANSWER: Mapping[str, Callable[[str], object]] = {
    "method": str.upper,
    "path": str,
    "times": int,
    "delay_ms": int,
    "size": int,
    "after": lambda value: value in {"", "true"},
}
"""How the fields of a wrong answer are read, beside what it is."""


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = new_parser(
        program,
        "Run the embedded demo host until Ctrl-C: ComfyUI's routes on this machine, without a GPU."
        " Its sampler paints pictures; it is not a diffusion model.",
        f"example:\n  {program} --port 8188 --step-ms 200",
    )
    made.add_argument("--port", type=_port, default=8188, help="0: any free one (default 8188)")
    made.add_argument("--host", default="127.0.0.1", help="address to listen on")
    made.add_argument(
        "--profile",
        choices=tuple(PROFILES),
        default="0.33",
        help="ComfyUI version to be like; cloud: Comfy Cloud's dialect",
    )
    made.add_argument("--folder", metavar="DIR", type=Path, help="keep input, output and temp here")
    weather = made.add_argument_group("weather", "What goes wrong; times in milliseconds.")
    for field in fields(Faults):
        _add_fault(weather, field.name, field.default)
    return made


def run(given: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Listen until a signal ends it.

    Raises:
        ConfigError: it cannot listen there.
    """
    folder: Path | None = given.folder
    asyncio.run(_listen(given, folder.expanduser().absolute() if folder else None))
    return 0


def faults(given: argparse.Namespace) -> Faults:
    """The weather that the options ask for."""
    told: dict[str, Any] = {field.name: getattr(given, field.name) for field in fields(Faults)}
    told["http"] = tuple(told["http"] or ())
    return Faults(**told)


async def _listen(given: argparse.Namespace, folder: Path | None) -> None:
    host = EmbeddedHost(
        profile=given.profile,
        faults=faults(given),
        host=given.host,
        port=given.port,
        folder=folder,
    )
    try:
        await host.start()
    except OSError as error:
        raise ConfigError(_why_not(given, error)) from error
    try:
        _announce(Screen(sys.stdout), host)
        await _until_told()
    finally:
        await host.stop()


def _why_not(given: argparse.Namespace, error: OSError) -> str:
    if error.filename:
        return f"The folder {error.filename} cannot be used ({error.strerror}). Name another."
    return (
        f"The embedded host cannot listen on {given.host}:{given.port}"
        f" ({error.strerror or error}). End what uses that port, or choose another with --port."
    )


def _announce(screen: Screen, host: EmbeddedHost) -> None:
    name = "Comfy Cloud" if host.profile.cloud else f"ComfyUI {host.profile.version}"
    screen.say(f"Listening on {host.url} as {name}.", "bold")
    screen.say("Embedded demo host: no GPU; it paints pictures and has no diffusion model.")
    if host.profile.cloud:
        screen.say(f"It wants the header X-API-Key: {CLOUD_KEY}.")
    screen.say(f"Set COMFYUI_HOST={host.url} to use it. Ctrl-C ends it.")


async def _until_told() -> None:
    told = asyncio.Event()
    # Windows has no such handlers; there only Ctrl-C ends it.
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()


def _add_fault(group: Any, name: str, default: object) -> None:
    option = f"--{name.replace('_', '-')}"
    if default is True:
        off = f"--no-{name.replace('_', '-')}"
        group.add_argument(off, dest=name, action="store_false", help=f"not: {FAULTS[name]}")
    elif default is False:
        group.add_argument(option, action="store_true", help=FAULTS[name])
    elif name == "http":
        group.add_argument(
            option, metavar="WHAT[,...]", type=_bad_answer, action="append", help=FAULTS[name]
        )
    elif name in CHOICES:
        group.add_argument(option, choices=CHOICES[name], default=default, help=FAULTS[name])
    else:
        group.add_argument(option, metavar="MS", type=_ms, default=default, help=FAULTS[name])


def _bad_answer(text: str) -> BadAnswer:
    """WHAT, then name=value for the other fields of `BadAnswer`, or only `after`; with commas."""
    what, *more = text.split(",")
    told: dict[str, Any] = {}
    try:
        for each in more:
            name, _, value = each.partition("=")
            told[name] = BAD_ANSWER[name](value)
        return BadAnswer(what, **told)
    except (KeyError, ValueError):
        names = ", ".join(BAD_ANSWER)
        raise argparse.ArgumentTypeError(
            f"{text!r} is no wrong answer: a status or {', '.join(ANSWERS)}; then, each after a"
            f" comma, any of {names}"
        ) from None


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to {MAX_PORT}")
    return int(text)


def _ms(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of milliseconds")
    return int(text)
