"""`config` prints what a client can use as it stands: absolute paths, no secrets, own grant."""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from comfy_mcp.cli.client_config import CLIENTS, Launch, launch, snippet
from comfy_mcp.guard.catalog import TOOLS
from tests.cli.command_line import CommandLine

HOW = Launch(
    "/opt/a b/guard", ("serve", "--policy", '/p "q" ü😀\x7f.json'), {"COMFYUI_HOST": "h:1"}
)


def server_in(client: str, text: str) -> dict[str, Any]:
    """The command, args and env that *client* would read out of its snippet."""
    if client == "codex":
        return dict(tomllib.loads(text)["mcp_servers"]["comfyui"])
    if client == "claude-code":
        *command, name, server = shlex.split(text)
        assert (command, name) == (["claude", "mcp", "add-json"], "comfyui")
        return dict(json.loads(server))
    servers = json.loads(text)["servers" if client == "vscode" else "mcpServers"]
    return dict(servers["comfyui"])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_snippet_says_what_was_meant_in_the_clients_own_language(client: str) -> None:
    found = server_in(client, snippet(client, HOW))

    assert found["command"] == HOW.command
    assert found["args"] == list(HOW.args)
    assert found["env"] == HOW.env
    assert found.get("type", "stdio") == "stdio"


def test_policies_become_absolute_options() -> None:
    how = launch("/bin/x", ("-m", "comfy_mcp"), (Path("p.json"),), {})

    assert how.args == ("-m", "comfy_mcp", "serve", "--policy", str(Path.cwd() / "p.json"))


@pytest.mark.anyio
async def test_a_snippet_used_as_written_starts_a_server_that_lists_tools(
    guard: CommandLine,
) -> None:
    done = guard.run("config", "claude-desktop")
    found = server_in("claude-desktop", done.stdout)

    async with Client(StdioServerParameters(**found, cwd="/")) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]

    assert done.returncode == 0
    # The built-in policy does not list what slows everybody's next job down.
    assert set(names) == set(TOOLS) - {"free_memory"}
    assert Path(found["command"]).is_absolute()
    assert found["env"]["COMFY_MCP_GRANT"] == "claude-desktop"


def test_what_is_set_now_is_carried_over_but_no_secret_is(guard: CommandLine) -> None:
    done = guard.run(
        "config",
        "cursor",
        "--policy",
        "mine.json",
        env={
            "COMFYUI_HOST": "gpu-box:8188",
            "COMFYUI_API_KEY": "hush",
            "COMFY_MCP_GRANT": "somebody",
            "COMFY_MCP_WORKFLOWS": f"flows{os.pathsep}/more",
        },
    )

    found = server_in("cursor", done.stdout)
    assert found["env"] == {
        "COMFYUI_HOST": "gpu-box:8188",
        "COMFY_MCP_STATE": str(guard.state),
        "COMFY_MCP_WORKFLOWS": f"{guard.folder}/flows{os.pathsep}/more",
        "COMFY_MCP_GRANT": "cursor",
    }
    assert found["args"][-3:] == ["serve", "--policy", str(guard.folder / "mine.json")]
    assert "hush" not in done.stdout + done.stderr
    assert "COMFYUI_API_KEY is set" in done.stderr


def test_it_says_that_uvx_cannot_find_the_package_yet(guard: CommandLine) -> None:
    done = guard.run("config", "codex", "--grant", "mine")

    found = server_in("codex", done.stdout)
    assert "`uvx comfy-mcp-guard` does not work" in done.stderr
    assert "~/.codex/config.toml" in done.stderr
    assert not found["command"].endswith("uvx")
    assert found["env"]["COMFY_MCP_GRANT"] == "mine"


def test_from_runs_a_wheel_with_uvx(guard: CommandLine) -> None:
    wheel = guard.folder / "guard.whl"
    wheel.touch()
    uvx = guard.folder / "bin" / "uvx"
    uvx.parent.mkdir()
    uvx.touch(mode=0o755)

    done = guard.run("config", "vscode", "--from", "guard.whl", env={"PATH": str(uvx.parent)})

    found = server_in("vscode", done.stdout)
    assert found["command"] == str(uvx)
    assert found["args"] == ["--from", str(wheel), "comfy-mcp-guard", "serve"]
    assert "does not work" not in done.stderr


@pytest.mark.parametrize(("source", "why"), [("none.whl", "no wheel"), (".", "needs uvx")])
def test_from_without_what_it_needs_is_refused(guard: CommandLine, source: str, why: str) -> None:
    done = guard.run("config", "vscode", "--from", source, env={"PATH": "/nowhere"})

    assert done.returncode == 2
    assert why in done.stderr
    assert done.stdout == ""


def test_where_a_client_can_be_told_it_gives_a_call_more_time_than_the_longest_wait() -> None:
    told = {client: server_in(client, snippet(client, HOW)) for client in CLIENTS}

    assert told["codex"]["tool_timeout_sec"] == 660
    assert told["codex"]["startup_timeout_sec"] == 60
    assert told["gemini-cli"]["timeout"] == 660_000
    assert told["claude-code"]["timeout"] == 660_000
    assert {client for client, server in told.items() if not {*server} - KNOWN_EVERYWHERE} == {
        "claude-desktop",
        "cursor",
        "vscode",
        "windsurf",
    }


KNOWN_EVERYWHERE = {"type", "command", "args", "env"}


def test_what_the_server_is_to_offer_goes_into_the_snippet(guard: CommandLine) -> None:
    done = guard.run(
        *("config", "windsurf", "--toolsets", "core,outputs", "--read-only"),
        env={"COMFY_MCP_EXPORT_ROOTS": "/srv/site", "COMFY_MCP_IMAGE_RESPONSES": "link"},
    )

    env = server_in("windsurf", done.stdout)["env"]
    assert env["COMFY_MCP_TOOLSETS"] == "core,outputs"
    assert env["COMFY_MCP_READ_ONLY"] == "yes"
    assert env["COMFY_MCP_EXPORT_ROOTS"] == "/srv/site"
    assert env["COMFY_MCP_IMAGE_RESPONSES"] == "link"
