"""What one run puts out is what the next takes in; former runs and variants, on every host."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from comfy_mcp.server import build
from comfy_mcp.settings import Address, Settings
from tests.contract.probe import new_id
from tests.tools.desk import Desk
from tests.tools.sweeping import SWEEPS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def desk_at(comfyui: Comfy, folder: Path) -> AsyncGenerator[Desk]:
    """A client at a server that works with this ComfyUI."""
    policy = folder / "policy.json"
    policy.write_text(json.dumps(SWEEPS))
    address = Address(comfyui.url)
    settings = Settings(address=address, policies=(policy,), state=folder / "state", grant="local")
    server, services = build(settings)
    async with Client(server) as client:
        yield Desk(client, services)


def card(color: int, name: str) -> dict[str, Any]:
    """A picture in one colour."""
    values = {"width": 64, "height": 48, "batch_size": 1, "color": color}
    return {
        "1": {"class_type": "EmptyImage", "inputs": values},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": name},
        },
    }


def blend(first: str, second: str, name: str) -> dict[str, Any]:
    """Two pictures, the second scaled to the first, in one."""
    scale = {"image": ["2", 0], "upscale_method": "bilinear", "width": 64, "height": 48}
    mix = {"image1": ["1", 0], "image2": ["3", 0], "blend_factor": 0.5, "blend_mode": "normal"}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": first}},
        "2": {"class_type": "LoadImage", "inputs": {"image": second}},
        "3": {"class_type": "ImageScale", "inputs": {**scale, "crop": "disabled"}},
        "4": {"class_type": "ImageBlend", "inputs": mix},
        "5": {
            "class_type": "SaveImage",
            "inputs": {"images": ["4", 0], "filename_prefix": name},
        },
    }


def output_of(job: dict[str, Any]) -> str:
    """The uri of a job's only output."""
    assert job["status"] == "completed", job
    (output,) = job["outputs"]
    return output["uri"]


async def test_outputs_of_two_runs_are_blended_by_a_third_and_that_again(
    comfyui: Comfy, tmp_path: Path
) -> None:
    name = f"contract/{new_id()}"

    async with desk_at(comfyui, tmp_path) as desk:
        red = output_of(await desk.ask("run_workflow", workflow=card(0xFF0000, name)))
        blue = output_of(await desk.ask("run_workflow", workflow=card(0x0000FF, name)))
        mixed = await desk.ask("run_workflow", workflow=blend(red, blue, name))
        again = await desk.ask(
            "run_workflow", from_prompt_id=mixed["prompt_id"], params={"2.image": output_of(mixed)}
        )

    assert output_of(again)


async def test_a_graph_is_remembered_by_the_host_itself(comfyui: Comfy, tmp_path: Path) -> None:
    sent = card(0x00FF00, f"contract/{new_id()}")

    async with desk_at(comfyui, tmp_path) as desk:
        job = await desk.ask("run_workflow", workflow=sent)
        remembered = await (await desk.services.jobs()).host.graph(job["prompt_id"])
        nothing = await (await desk.services.jobs()).host.graph(new_id())

    assert remembered is not None
    kept = {key: (node["class_type"], node["inputs"]) for key, node in remembered.items()}
    assert kept == {key: (node["class_type"], node["inputs"]) for key, node in sent.items()}
    assert nothing is None


async def test_a_workflow_of_the_editor_runs_with_parameters(
    comfyui: Comfy, tmp_path: Path
) -> None:
    editor = {
        "version": 0.4,
        "nodes": [
            {
                "id": 1,
                "type": "EmptyImage",
                "mode": 0,
                "inputs": [],
                "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
                "widgets_values": [64, 64, 1, 255],
            },
            {
                "id": 2,
                "type": "SaveImage",
                "mode": 0,
                "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
                "outputs": [],
                "widgets_values": [f"contract/{new_id()}"],
            },
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
    }

    async with desk_at(comfyui, tmp_path) as desk:
        job = await desk.ask("run_workflow", workflow=editor, params={"width": 32, "1.color": 9})
        graph = await (await desk.services.jobs()).host.graph(job["prompt_id"])

    assert output_of(job)
    assert graph is not None
    assert (graph["1"]["inputs"]["width"], graph["1"]["inputs"]["color"]) == (32, 9)


async def test_of_twelve_variants_the_one_that_fails_fails_alone(
    comfyui: Comfy, tmp_path: Path
) -> None:
    colors = [*range(11), -1]

    async with desk_at(comfyui, tmp_path) as desk:
        swept = await desk.ask(
            "run_sweep",
            workflow=card(0, f"contract/{new_id()}"),
            axes={"1.color": colors},
            wait_seconds=120,
        )

    assert swept["counts"] == {"completed": 11, "failed": 1}
    assert swept["table"][-1]["status"] == "failed"
    assert "color" in swept["table"][-1]["error"]
