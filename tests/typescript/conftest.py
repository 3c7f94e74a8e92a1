"""The TypeScript SDK, installed once, and what a client built on it gets from the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from comfy_mcp.embedded import EmbeddedHost

HERE = Path(__file__).parent
SDK = "@modelcontextprotocol/sdk"

INSTALL_SECONDS = 300
TALK_SECONDS = 120

POLICY = {
    "version": "1",
    "default": "deny",
    "tools": {
        "run_workflow": {},
        "get_job": {},
        "view_output": {},
        "list_jobs": {},
        "get_server_status": {},
        "clear_queue": {},
        "cancel_job": {"action": "deny", "reason": "Jobs here are stopped by people."},
    },
}


@dataclass(frozen=True)
class Talk:
    """What client.mjs printed, and what ComfyUI was sent meanwhile (paths of POST requests)."""

    said: dict[str, Any]
    posted: list[str]

    def result(self, what: str) -> dict[str, Any]:
        """What the library returned; a test fails where it threw."""
        outcome = self.said[what]
        assert "threw" not in outcome, outcome
        returned: dict[str, Any] = outcome["result"]
        return returned


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js, with the pinned SDK installed beside the client."""
    found = [shutil.which(name) for name in ("node", "npm")]
    if found[0] is None or found[1] is None:
        pytest.fail("Node.js 18 or newer and npm are needed for these tests.")
    pinned = _json(HERE / "package.json")["dependencies"][SDK]
    installed = HERE / "node_modules" / SDK / "package.json"
    if not installed.exists() or _json(installed)["version"] != pinned:
        options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(  # noqa: S603 - npm, in our own folder
            [found[1], "install", *options], cwd=HERE, check=True, timeout=INSTALL_SECONDS
        )
    return found[0]


@pytest.fixture(scope="session")
def talk(node: str, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """One talk of the client with the server, each in a process of its own."""
    return anyio.run(_talk, node, tmp_path_factory.mktemp("typescript"))


async def _talk(node: str, folder: Path) -> Talk:
    policy = folder / "policy.json"
    policy.write_text(json.dumps(POLICY), encoding="utf-8")
    policy.chmod(0o600)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COMFY")}
    async with EmbeddedHost(folder=folder / "comfyui") as host:
        environment = inherited | {
            "COMFYUI_HOST": host.url,
            "COMFY_MCP_POLICY": str(policy),
            "COMFY_MCP_STATE": str(folder / "state"),
        }
        with anyio.fail_after(TALK_SECONDS):
            done = await anyio.run_process(
                [node, str(HERE / "client.mjs"), sys.executable, "-m", "comfy_mcp"],
                env=environment,
                stderr=None,
            )
        posted = [each.path for each in host.seen if each.method == "POST"]
    return Talk(json.loads(done.stdout), posted)


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
