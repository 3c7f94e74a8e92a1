"""``demo``: the main job, seen by a person: run, cancel, be refused, read the audit log."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_mcp.cli.options import called, new_parser
from comfy_mcp.cli.screen import Screen
from comfy_mcp.errors import ComfyMCPError

if TYPE_CHECKING:
    from mcp import Client

    from comfy_mcp.cli.demo_stage import Stage
    from comfy_mcp.store.protocol import AuditRow

__all__ = ["parser", "run", "save"]

CHECKPOINT = "embedded-demo.safetensors"
PROMPT = "a lighthouse on a cliff at dusk, warm window light, calm sea"
STEPS = 20
SECONDS = 90.0
"""The most that the whole demo may take; it needs about ten."""

PICTURE = "comfy-mcp-guard-demo"
MAX_PICTURES = 1_000
MAX_CALLS = 6
"""Calls after which the limit must have said no."""

ROWS = 100


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    return new_parser(
        program,
        "Run a workflow, cancel one and meet a limit, through a real MCP server on an embedded demo"
        f" host. Needs no GPU and no ComfyUI; saves {PICTURE}.png in the current folder.",
        f"example:\n  {program}",
    )


def run(_: argparse.Namespace, __: Mapping[str, str]) -> int:
    """Show it.

    Raises:
        ComfyMCPError: something did not go as it must.
    """
    try:
        asyncio.run(_show(Screen(sys.stdout)))
    except TimeoutError as error:
        raise ComfyMCPError(
            f"The demo did not end within {SECONDS:g} s. This machine may be very busy: try again."
        ) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ComfyMCPError(f"The demo cannot run here: {error}. Try another folder.") from error
    return 0


def save(data: bytes, folder: Path) -> Path:
    """Write *data* as a picture into *folder*, beside what is there already.

    Raises:
        ComfyMCPError: it cannot be written there.
    """
    for number in range(1, MAX_PICTURES + 1):
        path = folder / f"{PICTURE}{f'-{number}' if number > 1 else ''}.png"
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        except OSError as error:
            raise ComfyMCPError(
                f"The picture cannot be saved as {path} ({error.strerror}). Change into a folder"
                " where you may write, and run the demo again."
            ) from error
        return path
    raise ComfyMCPError(f"There are {MAX_PICTURES} demo pictures in {folder}: remove some.")


async def _show(screen: Screen) -> None:
    from comfy_mcp.cli.demo_stage import POLICY, stage  # noqa: PLC0415 - --help does not need it

    screen.say("comfy-mcp-guard demo", "bold")
    screen.say("Embedded demo host, no GPU: a painted picture, not a diffusion model.")
    screen.say("The MCP server, its policy, its limits and its audit log are the real ones.")
    async with asyncio.timeout(SECONDS), stage() as around:
        screen.title("1  An agent connects, under this policy")
        screen.say(POLICY.rstrip(), "cyan")
        async with around.client() as client:
            await _list(screen, client)
            await _paint(screen, client)
            await _cancel(screen, client, around)
            await _meet_the_limit(screen, client, around)
        await _read_audit(screen, around)
    _say_next(screen)


async def _list(screen: Screen, client: Client) -> None:
    tools = (await client.list_tools()).tools
    screen.say(f"MCP {client.protocol_version} over stdio; the agent sees these tools:")
    screen.say(f"  {', '.join(tool.name for tool in tools)}")


async def _paint(screen: Screen, client: Client) -> None:
    from comfy_mcp.cli.demo_stage import call, picture_of  # noqa: PLC0415 - as above

    screen.title("2  run_workflow: the shipped txt2img, with live progress")
    params = {"prompt": PROMPT, "checkpoint": CHECKPOINT, "steps": STEPS}
    with screen.bar("txt2img") as advance:

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            advance(100 * progress / (total or 100), message or "")

        job = await call(client, "run_workflow", {"workflow": "txt2img", "params": params}, heard)
    data = await picture_of(client, job)
    path = await asyncio.to_thread(save, data, Path.cwd())
    seconds = job.get("timings", {}).get("running", 0)
    size = len(data) // 1024
    screen.say(f"{job['status']} after {seconds:g} s; {size} KiB read over MCP and saved:")
    screen.say(f"  {path}", "bold green")


async def _cancel(screen: Screen, client: Client, around: Stage) -> None:
    from comfy_mcp.cli.demo_stage import call, slow  # noqa: PLC0415 - as above

    screen.title("3  cancel_job: a slow job is stopped, and that is verified")
    params = {"prompt": "fog", "checkpoint": CHECKPOINT, "steps": 150}
    arguments = {"workflow": "txt2img", "params": params, "wait_seconds": 0}
    slow(around.host)
    job = await call(client, "run_workflow", arguments)
    number = str(job["prompt_id"])
    screen.say(f"run_workflow with wait_seconds=0 came back at once: {job['status']}")
    await around.host.until(lambda host: host.running == number)
    told = await call(client, "cancel_job", {"prompt_id": number})
    screen.say(f"cancel_job: {told['outcome']} (it was {told['was']})", "bold green")
    screen.say(f"  sent: {', '.join(told['actions'])}")
    screen.say(f"  {told['message']}")
    if told["outcome"] != "cancelled" or around.host.running == number:
        raise ComfyMCPError("The cancel was not kept: the job still runs on the demo host.")
    screen.say("  The host agrees: that job is no longer running.")


async def _meet_the_limit(screen: Screen, client: Client, around: Stage) -> None:
    from comfy_mcp.cli.demo_stage import fast, words_of  # noqa: PLC0415 - as above

    screen.title("4  The limit: what an agent reads when the policy says no")
    fast(around.host)
    for number in range(3, MAX_CALLS):
        result = await client.call_tool("run_workflow", {"workflow": "color_card"})
        if result.is_error:
            screen.say(f"run_workflow, call {number}:")
            screen.quote(words_of(result), "bold red")
            return
        job: dict[str, Any] = result.structured_content or {}
        screen.say(f"run_workflow, call {number}: {job.get('status')}")
    raise ComfyMCPError("The limit of 3 runs a minute did not hold.")


async def _read_audit(screen: Screen, around: Stage) -> None:
    from comfy_mcp.store.sqlite import SqliteStore  # noqa: PLC0415 - as above

    screen.title("5  The audit log: every decision before its effect, every outcome after it")
    store = SqliteStore(around.state)
    try:
        rows = await store.tail(ROWS)
        count, fault = await store.verify()
    finally:
        await store.close()
    screen.table(("row", "time", "what", "about", "hash"), [_cells(row) for row in rows])
    if fault is not None:
        raise ComfyMCPError(f"The audit chain is broken: {fault}.")
    screen.say(f"The hash chain verifies: {count} rows, none changed, dropped or swapped.", "green")


def _cells(row: AuditRow) -> tuple[str, ...]:
    record: Mapping[str, Any] = row.record
    kind = str(record.get("kind", ""))
    what = " ".join(str(record[key]) for key in ("decision", "outcome", "status") if key in record)
    code = str(record.get("code", ""))
    more = f" ({code})" if code not in {"", "allowed"} else ""
    moment = datetime.fromtimestamp(row.at_ms / 1000).astimezone()
    return (
        str(row.seq),
        f"{moment:%H:%M:%S}",
        f"{kind}: {what}{more}",
        str(record.get("tool") or f"job {str(record.get('prompt_id', ''))[:8]}"),
        row.hash[:12],
    )


def _say_next(screen: Screen) -> None:
    screen.title("Next")
    screen.say(f"  {called()} doctor                 (is your ComfyUI there?)")
    screen.say(f"  {called()} config claude-desktop  (what your MCP client needs)")
    screen.say(
        "  Read docs/commands.md for the commands, docs/policy.md for what a policy can say."
    )
