"""Classes that no ComfyUI has are there only for whoever asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from comfy_mcp.embedded import PROFILES, EmbeddedHost
from comfy_mcp.embedded.nodes import ALL, catalogue
from comfy_mcp.embedded.nodes.demo import NODES
from tests.contract.probe import Comfy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

NAMES = {node.name for node in NODES}
IMAGE = {"class_type": "EmbeddedDemoCustomImage", "inputs": {"width": 16, "height": 8}}


@pytest.fixture
async def demo() -> AsyncIterator[Comfy]:
    """A client of a host with those classes."""
    async with EmbeddedHost(demo_nodes=True) as host, aiohttp.ClientSession() as session:
        yield Comfy(host.url, session, host.profile.version)


def test_they_say_what_they_are() -> None:
    assert NAMES.isdisjoint(node.name for node in ALL)
    for node in NODES:
        assert node.name.startswith("EmbeddedDemo")
        assert node.module.startswith(("custom_nodes.", "comfy_api_nodes."))
        assert "in no real ComfyUI" in node.description


@pytest.mark.parametrize("profile", PROFILES)
def test_they_are_not_there_unless_asked_for(profile: str) -> None:
    assert NAMES.isdisjoint(catalogue(PROFILES[profile]))
    assert set(catalogue(PROFILES[profile], demo_nodes=True)) >= NAMES


async def test_a_host_has_them_only_when_told(client: Comfy, demo: Comfy) -> None:
    for name in NAMES:
        assert (await client.get(f"/object_info/{name}")).body == {}
        assert set((await demo.get(f"/object_info/{name}")).body) == {name}


async def test_only_the_partner_node_would_spend_credits(demo: Comfy) -> None:
    told = (await demo.get("/object_info")).body

    partners = [name for name, info in told.items() if info.get("api_node")]
    assert partners == ["EmbeddedDemoPartner"]
    assert told["EmbeddedDemoPartner"]["python_module"].startswith("comfy_api_nodes.")


async def test_a_custom_class_makes_more_than_its_inputs_say(demo: Comfy) -> None:
    size = {"class_type": "GetImageSize", "inputs": {"image": ["1", 0]}}
    show = {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}}

    ended = await demo.run({"1": IMAGE, "2": size, "3": show})

    assert ended.entry["outputs"]["3"]["text"] == ["4"]


async def test_a_custom_class_saves_where_another_input_says(demo: Comfy) -> None:
    save = {"class_type": "EmbeddedDemoCustomSave", "inputs": {"images": ["1", 0], "where": "a/b"}}

    ended = await demo.run({"1": IMAGE, "2": save})

    [entry] = ended.entry["outputs"]["2"]["images"]
    assert entry == {"filename": "b_00001_.png", "subfolder": "a", "type": "output"}
    assert (await demo.get("/view", **entry)).status == 200


async def test_a_partner_node_and_a_loader_run_and_reach_nobody(demo: Comfy) -> None:
    loader = {
        "class_type": "EmbeddedDemoCustomLoader",
        "inputs": {
            "weights": "embedded-demo.safetensors",
            "style": "None",
            "either": "embedded-demo-2x.pth",
            "mode": "fast",
        },
    }
    nodes = {
        "1": loader,
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        "3": {"class_type": "EmbeddedDemoPartner", "inputs": {"prompt": "x"}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }

    ended = await demo.run(nodes)

    assert ended.entry["status"]["completed"] is True
    assert ended.entry["outputs"]["2"]["text"] == ["embedded-demo.safetensors"]
