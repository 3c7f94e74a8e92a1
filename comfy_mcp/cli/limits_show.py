"""``limits show``: how full is every limit, and who may not go on."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen
from comfy_mcp.settings import Settings

if TYPE_CHECKING:
    from comfy_mcp.oversight.standing import Standing

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Show every account of the state with what it holds: how full the limits and GPU budgets"
        " of the policy are, unfinished jobs, cool-downs and freezes. Works while servers run.",
        f"examples:\n  {program}\n  {program} --grant ci-bot --policy policy.json --json",
    )
    options.add(made, "policy", "host", "state")
    options.add_only(made, "only what concerns this caller")
    options.add_json(made)
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Show it.

    Raises:
        ConfigError: a setting or a policy file cannot be used.
        StateError: there is no state, or it cannot be read.
    """
    only: str | None = given.only
    settings = options.settings(given, environ)
    found = asyncio.run(_look(settings, only))
    from comfy_mcp.cli.limits_shown import show  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.holding import as_object  # noqa: PLC0415 - as above

    host = settings.address.label if settings.address else None
    if given.as_json:
        print(json.dumps(as_object(found, host)))
    else:
        show(Screen(sys.stdout), found, host)
    return 0


async def _look(settings: Settings, only: str | None) -> Standing:
    from comfy_mcp.guard.loading import load  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight import holding  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.state import now_ms, opened  # noqa: PLC0415 - as above

    policy = load(settings.policies).policy
    host = settings.address.label if settings.address else None
    async with opened(settings.state) as store:
        if only:
            return await holding.only(store, policy, only, host, now_ms())
        return await holding.everybody(store, policy, settings.grant, host, now_ms())
