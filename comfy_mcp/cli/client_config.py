"""``config``: what an MCP client has to be told to start this server, ready to paste."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from comfy_mcp.cli import options
from comfy_mcp.errors import ConfigError
from comfy_mcp.program import PROGRAM
from comfy_mcp.settings import Settings

__all__ = ["CLIENTS", "Client", "Launch", "launch", "parser", "run", "snippet"]

CALL_SECONDS = 660
"""For a call, where the client can be told: a wait may take 600 s, and its answer a moment."""

START_SECONDS = 60
"""For the start, where the client can be told: the first start from a wheel installs it."""

NAME = "comfyui"
"""How the client calls this server."""

CARRIED = (
    *("COMFYUI_HOST", "COMFY_MCP_STATE", "COMFY_MCP_WORKFLOWS", "COMFY_MCP_PROTOCOL"),
    *("COMFY_MCP_ON_BAD_RELOAD", "COMFY_MCP_TOOLSETS", "COMFY_MCP_READ_ONLY"),
    *("COMFY_MCP_WORKFLOW_TOOLS", "COMFY_MCP_IMAGE_RESPONSES"),
    *("COMFY_MCP_INPUT_ROOTS", "COMFY_MCP_EXPORT_ROOTS"),
)
"""Variables that go into a configuration: clients start servers with a near-empty environment."""

SECRETS = ("COMFYUI_API_KEY", "COMFYUI_HEADERS")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a client starts the server: an absolute *command*, its *args*, and more environment."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Client:
    """One MCP client: *advice* says where its snippet goes, *write* makes it."""

    name: str
    advice: str
    write: Callable[[Launch], str]


def snippet(client: str, how: Launch) -> str:
    """What *client* reads to start the server *how*.

    Raises:
        KeyError: there is no such client.
    """
    return CLIENTS[client].write(how)


def parser(program: str) -> argparse.ArgumentParser:
    """The options of this command."""
    made = options.new_parser(
        program,
        "Print what an MCP client needs to start this server, on stdout and nothing else there;"
        " advice goes to stderr. Options and variables that are set now are written into it.",
        f"examples:\n  {program} claude-desktop\n  {program} codex >> ~/.codex/config.toml\n"
        f"  {program} cursor --host gpu-box:8188 --policy policy.json",
    )
    made.add_argument("client", choices=tuple(CLIENTS), metavar="CLIENT", help=", ".join(CLIENTS))
    made.add_argument(
        "--from",
        dest="source",
        metavar="WHEEL_OR_DIR",
        help="run this wheel or source folder with uvx instead of what is installed",
    )
    options.add_shared(made)
    options.add_offer(made)
    return made


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print one snippet.

    Raises:
        ConfigError: a setting cannot be used, or uvx is needed and not there.
    """
    client = CLIENTS[given.client]
    named = options.environment(given, environ)
    settings = options.settings(given, environ)
    source: str | None = given.source
    command, *first = _from(source) if source else options.installed()
    env = _environment(named, settings, given.grant or client.name)
    how = launch(command, tuple(first), settings.policies, env)
    print(client.write(how))
    for line in _advice(client, how, named):
        print(line, file=sys.stderr)
    return 0


def launch(
    command: str, first: tuple[str, ...], policies: tuple[Path, ...], env: Mapping[str, str]
) -> Launch:
    """How to start the server: *first* are the words before its own, paths made absolute."""
    own = [word for path in policies for word in ("--policy", str(path.absolute()))]
    return Launch(command, (*first, "serve", *own), env)


def _environment(environ: Mapping[str, str], settings: Settings, grant: str) -> dict[str, str]:
    """A grant of its own for each client: they must not own each other's jobs."""
    carried = {name: environ[name].strip() for name in CARRIED if environ.get(name, "").strip()}
    if settings.workflows:
        folders = [str(folder.absolute()) for folder in settings.workflows]
        carried["COMFY_MCP_WORKFLOWS"] = os.pathsep.join(folders)
    for name, roots in (
        ("COMFY_MCP_INPUT_ROOTS", settings.input_roots),
        ("COMFY_MCP_EXPORT_ROOTS", settings.export_roots),
    ):
        if roots:
            # Written out: a client knows no `~`.
            carried[name] = os.pathsep.join(map(str, roots))
    if environ.get("XDG_STATE_HOME"):
        # The client may not hand this on, and the server would count and journal elsewhere.
        carried["COMFY_MCP_STATE"] = str(settings.state)
    return {**carried, "COMFY_MCP_GRANT": grant}


def _from(source: str) -> list[str]:
    path = Path(source).expanduser()
    if not path.exists():
        raise ConfigError(f"There is no wheel or folder {source}. Correct --from.")
    uvx = shutil.which("uvx")
    if uvx is None:
        raise ConfigError(
            "--from needs uvx, which is not in PATH. Install uv, or leave --from out to use what"
            " is installed."
        )
    return [os.path.abspath(uvx), "--from", str(path.absolute()), PROGRAM]  # noqa: PTH100 - resolve() follows links


def _advice(client: Client, how: Launch, environ: Mapping[str, str]) -> list[str]:
    lines = [client.advice]
    if "--from" not in how.args:
        lines.append(
            f"{PROGRAM} is not on the package registry yet, so `uvx {PROGRAM}` does not work: this"
            f" starts the installed {how.command}. --from WHEEL_OR_DIR makes one for uvx."
        )
        if "archive-v0" in Path(how.command).parts:
            lines.append("That copy is in uv's cache and may be removed: better use --from.")
    lines += [
        f"{name} is set, but secrets are not printed: add it to the environment yourself."
        for name in SECRETS
        if environ.get(name, "").strip()
    ]
    return lines


def _server(how: Launch) -> dict[str, object]:
    return {"command": how.command, "args": list(how.args), "env": dict(how.env)}


def _mcp_servers(how: Launch) -> str:
    return json.dumps({"mcpServers": {NAME: _server(how)}}, indent=2, ensure_ascii=False)


def _gemini(how: Launch) -> str:
    server = {**_server(how), "timeout": CALL_SECONDS * 1000}
    return json.dumps({"mcpServers": {NAME: server}}, indent=2, ensure_ascii=False)


def _vscode(how: Launch) -> str:
    server = {"type": "stdio", **_server(how)}
    return json.dumps({"servers": {NAME: server}}, indent=2, ensure_ascii=False)


def _claude_code(how: Launch) -> str:
    server = {"type": "stdio", **_server(how), "timeout": CALL_SECONDS * 1000}
    words = ["claude", "mcp", "add-json", NAME, json.dumps(server, ensure_ascii=False)]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _codex(how: Launch) -> str:
    env = ", ".join(f"{name} = {_toml(value)}" for name, value in how.env.items())
    args = ", ".join(_toml(word) for word in how.args)
    return "\n".join(
        (
            f"[mcp_servers.{NAME}]",
            f"command = {_toml(how.command)}",
            f"args = [{args}]",
            f"env = {{ {env} }}",
            f"startup_timeout_sec = {START_SECONDS}",
            f"tool_timeout_sec = {CALL_SECONDS}",
        )
    )


def _toml(text: str) -> str:
    # A JSON string is a TOML one, but for surrogate pairs and the delete character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _desktop_place() -> str:
    folders = {
        "darwin": "~/Library/Application Support/Claude",
        "win32": "%APPDATA%\\Claude",
    }
    return f"{folders.get(sys.platform, '~/.config/Claude')}/claude_desktop_config.json"


SHORT_WAITS = (
    "It has no setting for time-outs: where calls end early, ask for wait_seconds of 40 or less and"
    " follow the job with get_job."
)

CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client(
            "claude-desktop",
            f"Add this to {_desktop_place()} and start Claude Desktop again. It ends calls after 60"
            " to 240 s, whatever is set, and takes answers of 1 MiB at most: ours are smaller.",
            _mcp_servers,
        ),
        Client(
            "claude-code",
            "Run this in a shell, in the project's folder. A call may take 11 minutes; for a slow"
            f" first start set MCP_TIMEOUT={START_SECONDS * 1000}.",
            _claude_code,
        ),
        Client(
            "cursor",
            f"Add this to ~/.cursor/mcp.json, or to .cursor/mcp.json of a project. {SHORT_WAITS}"
            " It works best with about 40 tools of all servers: --toolsets offers fewer.",
            _mcp_servers,
        ),
        Client("vscode", f"Add this to .vscode/mcp.json of the project. {SHORT_WAITS}", _vscode),
        Client(
            "windsurf",
            f"Add this to ~/.codeium/windsurf/mcp_config.json. {SHORT_WAITS} It takes 100 tools of"
            " all servers together: --toolsets offers fewer.",
            _mcp_servers,
        ),
        Client(
            "codex",
            "Add this to ~/.codex/config.toml. A call may take 11 minutes, the start a minute.",
            _codex,
        ),
        Client(
            "gemini-cli",
            "Add this to ~/.gemini/settings.json, or to .gemini/settings.json of a project. A call"
            " may take 11 minutes; answers above 40,000 characters would be cut: ours are smaller.",
            _gemini,
        ),
    )
}
"""The clients that can be written for."""
