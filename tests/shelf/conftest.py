"""A shelf over folders on disk and an embedded ComfyUI that keeps workflows, too."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.library import Library, SavedWorkflows
from comfy_mcp.settings import Address
from comfy_mcp.shelf import Shelf


def card(color: object = 1) -> dict[str, Any]:
    """A small picture in one colour."""
    values = {"width": 64, "height": 64, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": values},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


def editor(color: int = 1) -> dict[str, Any]:
    """The same, as the editor saves it."""
    return {
        "version": 0.4,
        "last_node_id": 2,
        "last_link_id": 1,
        "nodes": [
            {
                "id": 1,
                "type": "EmptyImage",
                "mode": 0,
                "order": 0,
                "inputs": [],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
                "widgets_values": [64, 64, 1, color],
            },
            {
                "id": 2,
                "type": "SaveImage",
                "mode": 0,
                "order": 1,
                "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
                "outputs": [],
                "widgets_values": ["x"],
            },
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
        "groups": [],
        "extra": {},
    }


@dataclass
class Room:
    """One shelf, and where its workflows are."""

    shelf: Shelf
    host: ComfyHost
    comfyui: EmbeddedHost
    folder: Path

    def put(self, where: str, content: object) -> None:
        """Write a file of the host's: ``user/default/workflows/a.json`` for example."""
        path = self.comfyui.folder / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def own(self, name: str, content: object) -> None:
        """Write a file of the operator's folder."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{name}.json").write_text(json.dumps(content))


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """What the host's client takes for the time."""
    return Clock()


@pytest.fixture
async def room(tmp_path: Path, clock: Clock) -> AsyncIterator[Room]:
    """A shelf with nothing on it."""
    async with EmbeddedHost(folder=tmp_path / "comfyui") as comfyui:
        host = ComfyHost(
            Address(comfyui.url), now_ms=lambda: time.time_ns() // 1_000_000, clock=clock
        )
        saved = SavedWorkflows(tmp_path / "state" / "workflows", now_ms=lambda: 1)
        folder = tmp_path / "own"
        try:
            yield Room(Shelf(Library([folder]), saved), host, comfyui, folder)
        finally:
            await host.close()
