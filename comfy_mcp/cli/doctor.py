"""``doctor``: is everything there, and what may an agent do?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen, Verdict
from comfy_mcp.settings import Settings

if TYPE_CHECKING:
    from comfy_mcp.cli.findings import Finding
    from comfy_mcp.guard.loading import Loaded

__all__ = ["parser", "run"]


NOT_OFFERED = "not offered by this server: see COMFY_MCP_TOOLSETS and COMFY_MCP_READ_ONLY"


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Look at everything a server needs, and show what each agent may do. Changes nothing.",
        "exit status: 0 fine (notes are fine), 1 something is broken, 2 settings or policy are\n"
        f"unusable\n\nexample:\n  {program} --host gpu-box:8188 --policy policy.json",
    )
    options.add_shared(made)
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Do all checks.

    Raises:
        ConfigError: a setting cannot be used.
    """
    settings = options.settings(given, environ)
    screen = Screen(sys.stdout)
    loaded: Loaded | None = None
    found: list[Finding] = []
    for findings, policy in _examine(settings):
        loaded = policy or loaded
        found += findings
        for one in findings:
            screen.check(one.verdict, one.name, one.text)
    if loaded is not None:
        _show_powers(screen, loaded, settings)
    screen.say()
    screen.say(f"Next: {_next(found, options.repeated(given))}", "bold")
    if loaded is None:
        return 2
    return 1 if any(one.verdict is Verdict.FAIL for one in found) else 0


def _examine(settings: Settings) -> Iterator[tuple[list[Finding], Loaded | None]]:
    """The findings of each check, as soon as it is done."""
    from comfy_mcp.cli import findings, host_findings, state_findings  # noqa: PLC0415 - --help does not need it

    yield findings.about_settings(settings), None
    yield asyncio.run(host_findings.about_host(settings)), None
    yield findings.about_policy(settings)
    yield asyncio.run(state_findings.about_state(settings)), None
    yield findings.about_workflows(settings), None


def _show_powers(screen: Screen, loaded: Loaded, settings: Settings) -> None:
    from comfy_mcp.cli.powers import callers, powers  # noqa: PLC0415 - --help does not need it
    from comfy_mcp.oversight.state import now_ms  # noqa: PLC0415 - as above
    from comfy_mcp.tools.table import offered  # noqa: PLC0415 - as above

    at_ms = now_ms()
    there = offered(settings.toolsets, read_only=settings.read_only)
    for caller in callers(loaded.policy, settings.grant, at_ms):
        screen.title(f"What the agent {caller.name!r} may do")
        if caller.words:
            screen.say(f"  {caller.words}")
        if not caller.known:
            continue
        rows = [
            (power.tool, "yes" if power.listed else "no", power.words)
            if power.tool in there
            else (power.tool, "no", NOT_OFFERED)
            for power in powers(loaded.policy, caller.name, at_ms)
        ]
        screen.table(("tool", "listed", "a call is"), rows)


def _next(found: list[Finding], shared: str) -> str:
    wanted = [one.advice for one in found if one.verdict is Verdict.FAIL and one.advice]
    if wanted:
        return f"{wanted[0]}, and run doctor again."
    command = f"{options.called()} config claude-desktop {shared}".rstrip()
    return f"{command} (or another client) prints what it needs."
