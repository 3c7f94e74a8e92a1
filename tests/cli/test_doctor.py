"""`doctor` looks at everything, shows what an agent may do, and ends with one next step."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

import anyio
import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.guard.catalog import TOOLS
from tests.cli.command_line import CommandLine

pytestmark = pytest.mark.anyio


async def doctor(
    guard: CommandLine, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return await anyio.to_thread.run_sync(lambda: guard.run("doctor", *words, env=env))


async def test_all_is_well(guard: CommandLine) -> None:
    async with EmbeddedHost() as host:
        done = await doctor(guard, "--host", host.url, "--grant", "alice")

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert "What the agent 'alice' may do" in lines
    for tool in TOOLS:
        said = "allowed" if tool != "free_memory" else "denied by /default"
        assert any(line.startswith(f"  {tool} ") and said in line for line in lines)
    assert lines[-1].startswith("Next: ")
    assert "config claude-desktop" in lines[-1]
    assert done.stderr == ""


async def test_a_tool_that_the_server_does_not_offer_is_not_shown_as_allowed(
    guard: CommandLine,
) -> None:
    less = {"COMFY_MCP_TOOLSETS": "core,control", "COMFY_MCP_READ_ONLY": "yes"}
    async with EmbeddedHost() as host:
        done = await doctor(guard, "--host", host.url, env=less)

    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    for tool in ("run_workflow", "cancel_job", "view_output", "search_nodes"):
        assert "not offered by this server" in rows[tool]
    assert "allowed" in rows["get_job"]


async def test_without_a_host_it_says_so_and_still_does_the_rest(guard: CommandLine) -> None:
    async with EmbeddedHost() as host:
        url = host.url

    done = await doctor(guard, "--host", url)

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert any(line.startswith("FAIL  ComfyUI") and url in line for line in lines)
    assert "What the agent 'local' may do" in lines
    assert lines[-1].startswith("Next: start ComfyUI")


async def test_an_invalid_policy_is_told_with_every_fault(guard: CommandLine) -> None:
    policy = guard.folder / "p.json"
    policy.write_text('{"version": "2", "tols": {}}')
    policy.chmod(0o600)

    done = await doctor(guard, "--host", "embedded", "--policy", str(policy))

    assert done.returncode == 2
    assert "/version:" in done.stdout
    assert "/tols:" in done.stdout
    assert "may do" not in done.stdout
    assert done.stdout.splitlines()[-1] == "Next: correct the policy, and run doctor again."


async def test_a_bad_setting_is_misuse(guard: CommandLine) -> None:
    done = await doctor(guard, "--grant", "not a name")

    assert done.returncode == 2
    assert "COMFY_MCP_GRANT" in done.stderr
    assert done.stdout == ""
