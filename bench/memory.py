"""Resident memory of a server that was only asked for its tools, and after it ran some jobs."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure
from bench.graphs import pictures
from bench.pipe import MODERN, Pipe
from bench.places import BARE, OURS, Place

__all__ = ["measure"]

JOBS = 50
KIB = 1024


def measure(place: Place) -> list[Figure]:
    """MiB; nothing on systems that do not tell."""
    if not Path("/proc/self/status").exists():
        return []
    with Pipe(BARE, place, MODERN) as pipe:
        pipe.greet()
        pipe.ask("tools/list")
        bare = _resident(pipe.pid)
    with Pipe(OURS, place, MODERN) as pipe:
        pipe.greet()
        pipe.ask("tools/list")
        idle = _resident(pipe.pid)
        for _, graph in zip(range(JOBS), pictures(), strict=False):
            pipe.ask("tools/call", name="run_workflow", arguments={"workflow": graph})
        used = _resident(pipe.pid)
    return [
        Figure("memory: bare SDK server, idle", bare, "MiB"),
        Figure("memory: comfy-mcp-guard, idle", idle, "MiB"),
        Figure(f"memory: comfy-mcp-guard after {JOBS} jobs", used, "MiB"),
    ]


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / KIB
    raise RuntimeError(f"process {pid} has gone")
