"""Where the measured processes run: their commands, their environment, their ComfyUI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["BARE", "EMBEDDED", "OURS", "UNGUARDED", "Place", "command", "embedded_host", "place"]

HERE = Path(__file__).resolve().parent

OURS = ("-m", "comfy_mcp")
UNGUARDED = (str(HERE / "unguarded.py"),)
BARE = (str(HERE / "bare.py"),)
EMBEDDED = "embedded"

POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "all_tools": {
        "limits": [{"counter": "bench", "window": "hour", "max": 1_000_000, "scope": "grant"}]
    },
    "tools": {"*": {}},
    "gpu": {"max_in_flight": 1000},
}
"""Limits that no run reaches, but that are reserved and counted all the same."""

UNSET = ("PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME", "PYTHONTRACEMALLOC")
"""Would have the children compile or trace what an installed server does not."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder for one run, with a policy and a state of its own, and the ComfyUI to use."""

    folder: Path
    host: str

    @property
    def policy(self) -> Path:
        """The policy's file."""
        return self.folder / "policy.json"

    def environment(self) -> dict[str, str]:
        """What every measured process gets."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in UNSET and not name.startswith(("COMFY_MCP_", "COMFYUI_"))
        }
        return {
            **kept,
            "COMFYUI_HOST": self.host,
            "COMFY_MCP_POLICY": str(self.policy),
            "COMFY_MCP_STATE": str(self.folder / "state"),
        }


def command(arguments: tuple[str, ...]) -> list[str]:
    """Python with *arguments*."""
    return [sys.executable, *arguments]


@contextmanager
def place(host: str) -> Generator[Place]:
    """A place for one run against *host*; the folder goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="comfy-mcp-bench-") as name:
        made = Place(Path(name), host)
        made.policy.write_text(json.dumps(POLICY), encoding="utf-8")
        yield made


@contextmanager
def embedded_host(profile: str = "0.33", **weather: int) -> Generator[str]:
    """The URL of an embedded host in a process of its own; *weather*: see bench/embedded.py."""
    told = (f"{name}={milliseconds}" for name, milliseconds in weather.items())
    child = subprocess.Popen(  # noqa: S603 - our own file
        command((str(HERE / "embedded.py"), profile, *told)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        if child.stdin is None or child.stdout is None:
            raise AssertionError("both were asked for")
        url = child.stdout.readline().strip()
        if not url:
            raise RuntimeError("The embedded host did not start; see its message above.")
        try:
            yield url
        finally:
            child.stdin.close()
