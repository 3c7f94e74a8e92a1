"""An agent with nothing but the tools builds a graph from nothing, has it checked, and runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings
from tests.tools.desk import EVERYTHING, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

STEPS: list[dict[str, Any]] = [
    {"op": "add", "class_type": "EmptyImage", "inputs": {"width": 16, "height": 16}},
    {"op": "add", "class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": 8}},
    {"op": "add", "class_type": "SaveImage"},
    {"op": "connect", "node": "3", "input": "images", "from": "2"},
    {"op": "set", "node": "2", "input": "height", "value": 8},
    {"op": "set", "node": "3", "input": "filename_prefix", "value": "contract/built"},
]


async def test_a_graph_is_found_out_about_built_checked_and_run(
    comfyui: Comfy, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(EVERYTHING))
    settings = Settings(
        address=Address(comfyui.url), policies=(policy,), state=tmp_path / "state", grant="local"
    )
    server, services = build(settings)
    async with Client(server) as client:
        desk = Desk(client, services)
        found = await desk.ask("search_nodes", query="scale image")
        described = await desk.ask("describe_node", class_type="ImageScale")
        made = await desk.ask("edit_workflow", workflow={}, operations=STEPS)
        said = await desk.ask("validate_workflow", workflow=made["graph"])
        job = await desk.ask("run_workflow", workflow=made["graph"])
        wrong = {**made["graph"]["2"], "inputs": {**made["graph"]["2"]["inputs"], "crop": "x"}}
        refused = {**made["graph"], "2": wrong}
        warned = await desk.ask("validate_workflow", workflow=refused)
        text, _ = await desk.refusal("run_workflow", workflow=refused)

    assert "ImageScale" in json.dumps(found)
    assert "upscale_method" in json.dumps(described)
    assert (made["ok"], said["ok"]) == (True, True)
    assert said["cost"]["width"] == 16
    assert job["status"] == "completed"
    assert warned["ok"] is False
    assert warned["problems"][0]["input"] == "crop"
    assert "crop" in text
