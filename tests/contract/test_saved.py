"""Workflows that a host keeps for its user, and templates that came with it."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from yarl import URL

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.library import Library, SavedWorkflows
from comfy_mcp.settings import Address
from comfy_mcp.shelf import Shelf, described
from tests.contract.probe import new_id
from tests.shelf.conftest import card, editor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

ODD = "100% #1 [ü] & more (2)"
"""A name with all that has a meaning in an address; slashes make folders."""


@asynccontextmanager
async def client(comfyui: Comfy) -> AsyncIterator[ComfyHost]:
    """Ours."""
    host = ComfyHost(Address(comfyui.url), now_ms=lambda: time.time_ns() // 1_000_000)
    try:
        yield host
    finally:
        await host.close()


def shelf(tmp_path: Path) -> Shelf:
    """Nothing on disk."""
    return Shelf(Library([]), SavedWorkflows(tmp_path / "saved", now_ms=lambda: 1))


async def keep(comfyui: Comfy, name: str, content: Any) -> None:
    """Save as the editor does."""
    path = quote(f"workflows/{name}.json", safe="")
    url = URL(f"{comfyui.url}/userdata/{path}", encoded=True)
    async with comfyui.session.post(url, json=content) as answer:
        assert answer.status == 200


async def test_what_the_editor_saved_is_listed_and_loaded(comfyui: Comfy, tmp_path: Path) -> None:
    folder = new_id()
    await keep(comfyui, f"{folder}/{ODD}", editor(3))
    await keep(comfyui, f"{folder}/plain", card(4))

    async with client(comfyui) as host:
        listed = await host.workflows.saved()
        drawn = await shelf(tmp_path).load(f"host/{folder}/{ODD}", host)
        plain = await shelf(tmp_path).load(f"host/{folder}/plain", host)

    assert {f"{folder}/{ODD}", f"{folder}/plain"} <= listed.keys()
    assert drawn.graph.nodes["1"].inputs["color"] == 3
    assert plain.graph.nodes["1"].inputs["color"] == 4
    assert drawn.name == f"host/{folder}/{ODD}"


async def test_what_is_kept_is_described_with_the_ranges_of_this_host(
    comfyui: Comfy, tmp_path: Path
) -> None:
    name = new_id()
    await keep(comfyui, name, editor())

    async with client(comfyui) as host:
        found = await described(shelf(tmp_path), f"host/{name}", host, "ann")

    assert found.runnable is True
    assert [one.class_type for one in found.outputs] == ["SaveImage"]
    assert found.parameters is not None
    assert found.parameters["properties"]["width"]["maximum"] == 16384


async def test_templates_are_listed_if_there_are_any(comfyui: Comfy) -> None:
    async with comfyui.session.get(f"{comfyui.url}/templates/index.json") as answer:
        there = answer.status == 200

    async with client(comfyui) as host:
        listed = await host.workflows.templates()

    assert bool(listed) is there
