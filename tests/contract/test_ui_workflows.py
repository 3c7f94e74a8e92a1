"""Workflows of the editor are converted with what a host tells, and run by it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import parse_graph
from comfy_mcp.workflow.schema import Schemas, read_schemas
from comfy_mcp.workflow.ui import classes_of, converted, is_ui
from tests.contract.conftest import OTHER
from tests.workflow.ui import cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

PACKAGE = "comfyui_workflow_templates"
FOLDER = "COMFY_MCP_TEMPLATES"

SIZES: dict[str, list[tuple[int, int]]] = {
    "feeding": [(96, 64)],
    "primitive": [(48, 48)],
    "reroutes": [(64, 64), (64, 64)],
    "bypassed_chain": [(64, 64)],
    "bypassed_part": [(64, 64)],
    "part": [(24, 24)],
    "deep_part": [(72, 72)],
    "through": [(64, 64)],
    "old_names": [(20, 30), (21, 31)],
    "numbered_twice": [(32, 32)],
    "primitive_into_part": [(20, 20)],
    "group": [(8, 9)],
}
"""The pictures that each workflow saves, in the order of their nodes' ids."""


async def told_by(comfyui: Comfy) -> Schemas:
    """The node classes of a host."""
    return read_schemas((await comfyui.get("/object_info")).body)


@pytest.mark.parametrize("name", SIZES)
async def test_the_host_runs_what_a_file_of_the_editor_becomes(comfyui: Comfy, name: str) -> None:
    draw: Callable[[], dict[str, Any]] = getattr(cases, name)
    graph = converted(draw(), await told_by(comfyui)).nodes
    parse_graph(graph)
    for node in graph.values():
        if node["class_type"] == "SaveImage":
            node["inputs"]["filename_prefix"] = f"contract/{uuid.uuid4().hex}"

    ended = await comfyui.run(graph)

    assert ended.entry["status"]["completed"], ended.entry["status"]
    files = [
        file
        for _, output in sorted(ended.entry["outputs"].items())
        for file in output.get("images", [])
    ]
    assert [await size_of(comfyui, file) for file in files] == SIZES[name]


async def test_the_embedded_sampler_draws_a_text_to_image_workflow(comfyui: Comfy) -> None:
    schemas = await told_by(comfyui)
    models = next(spec for spec in schemas["CheckpointLoaderSimple"].inputs).choices
    if not models:
        pytest.skip("this host has no model")
    file = cases.text_to_image(1)
    file["nodes"][0]["widgets_values"] = [models[0]]

    ended = await comfyui.run(converted(file, schemas).nodes)

    assert len(ended.entry["outputs"]["7"]["images"]) == 2
    assert ended.entry["outputs"]["7"]["images"][0]["filename"].startswith("12 2")


async def size_of(comfyui: Comfy, file: dict[str, str]) -> tuple[int, int]:
    """Width and height of a picture that was saved."""
    answer = await comfyui.get("/view", **file)
    with Image.open(io.BytesIO(answer.body)) as picture:
        return picture.size


def templates() -> Iterator[Path]:
    """The templates of the editor, where their package is installed or a folder is named."""
    named = os.environ.get(FOLDER)
    roots = [Path(named)] if named else []
    if not named and importlib.util.find_spec(PACKAGE) is not None:
        for part in ("core", "json"):
            spec = importlib.util.find_spec(f"{PACKAGE}_{part}")
            roots += (
                [Path(each) for each in (spec.submodule_search_locations or [])] if spec else []
            )
    for root in roots:
        yield from sorted(root.rglob("*.json"))


@pytest.mark.skipif(not OTHER, reason="name a real ComfyUI in COMFYUI_TEST_HOST")
@pytest.mark.parametrize("comfyui", [OTHER or "none"], indirect=True)
async def test_templates_become_sound_graphs_or_need_nodes_the_host_lacks(comfyui: Comfy) -> None:
    files = list(templates())
    if not files:
        pytest.skip(f"install {PACKAGE}, or name a folder in {FOLDER}")
    schemas = await told_by(comfyui)

    values = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    drawn = [value for value in values if is_ui(value)]
    graphs = [nodes for value in drawn if (nodes := of_host(value, schemas)) is not None]

    assert graphs
    for nodes in graphs:
        parse_graph(nodes)


def of_host(value: dict[str, Any], schemas: Schemas) -> dict[str, Any] | None:
    """What a template becomes; None: it needs nodes that the host lacks."""
    try:
        return converted(value, schemas).nodes
    except WorkflowError:
        if classes_of(value) <= schemas.keys():
            raise
        return None
