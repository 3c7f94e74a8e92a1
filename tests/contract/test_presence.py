"""Whether a file that a node would load is there is found out without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.server import now_ms
from comfy_mcp.settings import Address
from tests.contract.probe import fresh

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def test_files_are_told_from_those_that_are_not_there(comfyui: Comfy) -> None:
    ended = await comfyui.run(fresh("small"))
    (made,) = (
        image for output in ended.entry["outputs"].values() for image in output.get("images", [])
    )
    name = f"{made['subfolder']}/{made['filename']}".lstrip("/")
    host = ComfyHost(Address(comfyui.url), now_ms=now_ms)
    try:
        found = await host.present(
            {f"{name} [output]", f"{name} [temp]", "no-such.png", "../x.png", ""}
        )
    finally:
        await host.close()

    assert found == {f"{name} [output]": True, f"{name} [temp]": False, "no-such.png": False}


async def test_of_a_host_that_is_not_there_nothing_is_known() -> None:
    host = ComfyHost(Address("http://127.0.0.1:9"), now_ms=now_ms)
    try:
        assert await host.present({"x.png"}) == {}
    finally:
        await host.close()
