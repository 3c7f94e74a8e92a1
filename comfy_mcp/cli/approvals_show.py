"""``approvals show``: exactly what is asked, and how to decide it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_mcp.cli import options
from comfy_mcp.cli.screen import Screen

if TYPE_CHECKING:
    from comfy_mcp.store.asked import ApprovalRow

__all__ = ["parser", "run"]


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Show one request: what would run and what it would cost, as the server measured it; the"
        " agent's own words apart and in quotation marks; and the commands to decide it.",
        f"exit status: 0 shown, 1 there is no such request\n\nexamples:\n"
        f"  {program} apr_1f0c9b7a55e2d340\n  {program} apr_1f0c9b7a55e2d340 --full",
    )
    options.add_request(made)
    made.add_argument(
        "--full",
        action="store_true",
        help="everything: all values, every text whole up to 64 KiB; with --json the graph, too",
    )
    options.add_json(made)
    options.add(made, "state")
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Show it.

    Raises:
        ConfigError: the path of the state cannot be used.
        StateError: there is no state, or it cannot be read.
    """
    folder = options.state_of(given, environ)
    row, at_ms, why = asyncio.run(_row(folder, given.request))
    full: bool = given.full
    from comfy_mcp.cli.approvals_shown import show  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.approvals import as_object  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.voiding import Revisions  # noqa: PLC0415 - as above

    if row is None:
        Screen(sys.stderr).say(f"{why} The state is {folder}.")
        return 1
    void = bool(Revisions().void([row]))
    if given.as_json:
        told = {**as_object(row, at_ms, full=full), "void": void}
        told |= _graphs(row.payload) if full else {}
        print(json.dumps(told))
    else:
        show(Screen(sys.stdout), row, at_ms, folder, void=void, full=full)
    return 0


def _graphs(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What would be sent: the graph, or those of all runs."""
    from comfy_mcp.oversight.object import whole  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.values import mapping, objects  # noqa: PLC0415 - as above

    if "runs" in payload:
        return {"graphs": [whole(mapping(one.get("graph"))) for one in objects(payload["runs"])]}
    return {"graph": whole(payload.get("graph"))}


async def _row(folder: Path, approval_id: str) -> tuple[ApprovalRow | None, int, str]:
    from comfy_mcp.oversight.approvals import nearest_to  # noqa: PLC0415 - not for --help
    from comfy_mcp.oversight.outcome import unknown  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.state import now_ms, opened  # noqa: PLC0415 - as above
    from comfy_mcp.oversight.targets import as_they_are  # noqa: PLC0415 - as above

    at_ms = now_ms()
    async with opened(folder) as store:
        row = await store.approval(approval_id, at_ms)
        if row is not None:
            return await as_they_are(store, row), at_ms, ""
        return None, at_ms, unknown(approval_id, await nearest_to(store, approval_id, at_ms))
