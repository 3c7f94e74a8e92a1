"""What a host tells of its nodes and models, as this package reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.knowledge.index import build
from comfy_mcp.knowledge.kinds import path
from comfy_mcp.knowledge.nodes import describe, fitted
from comfy_mcp.knowledge.search import Query, search
from comfy_mcp.permit import FreePermit
from comfy_mcp.settings import Address
from comfy_mcp.workflow.schema import NodeSchema, Schemas
from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

CACHED = "execution_cached"


@pytest.fixture
async def host(comfyui: Comfy) -> AsyncIterator[ComfyHost]:
    """Our client of the host under contract."""
    found = ComfyHost(Address(comfyui.url), now_ms=lambda: 0)
    yield found
    await found.close()


def anything(_: NodeSchema) -> bool:
    """Every node may be used."""
    return True


def first(nodes: Schemas, text: str, **conditions: str) -> str:
    """The class that a search finds first."""
    return search(build(nodes), Query(text, **conditions), anything).entries[0].schema.class_type


async def test_every_class_can_be_read_and_described(host: ComfyHost) -> None:
    nodes = await host.nodes()

    assert {"KSampler", "LoadImage", "SaveImage", "VAEDecode"} <= set(nodes)
    for schema in nodes.values():
        info = describe(schema, full=True)
        assert info.class_type == schema.class_type
        assert len(info.outputs) == len(schema.outputs)
        assert len(fitted([schema], full=True)[0].model_dump_json(exclude_none=True)) < 20_000


async def test_a_class_is_the_same_alone_as_among_all(host: ComfyHost) -> None:
    nodes = await host.nodes()
    names = ["KSampler", "ImageBlur", "VAEDecode", "SaveImage"]

    found = await host.schemas([*names, "ContractNope", "a/b", "../queue"])

    assert found == {name: nodes[name] for name in names}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("KSampler", "KSampler"),
        ("load image", "LoadImage"),
        ("save image", "SaveImage"),
        ("gaussian blur", "ImageBlur"),
        ("vae decode", "VAEDecode"),
        ("load checkpoint", "CheckpointLoaderSimple"),
        ("empty latent image", "EmptyLatentImage"),
    ],
)
async def test_well_known_nodes_are_found_by_plain_words(
    host: ComfyHost, text: str, wanted: str
) -> None:
    assert first(await host.nodes(), text) == wanted


async def test_what_turns_latents_into_pictures_is_found_by_types(host: ComfyHost) -> None:
    nodes = await host.nodes()

    assert first(nodes, "", takes="LATENT", gives="IMAGE") == "VAEDecode"
    (step,) = path(build(nodes).entries, "LATENT", "IMAGE", anything)
    assert step.class_type == "VAEDecode"


async def test_the_example_of_a_class_is_taken_by_the_host(comfyui: Comfy, host: ComfyHost) -> None:
    found = await host.schemas(["EmptyImage", "ImageScaleBy", "SaveImage"])
    graph = {name: describe(schema).example or {} for name, schema in found.items()}
    graph["ImageScaleBy"]["inputs"]["image"] = ["EmptyImage", 0]
    graph["SaveImage"]["inputs"]["images"] = ["ImageScaleBy", 0]

    graph["SaveImage"]["inputs"]["filename_prefix"] = f"contract/{new_id()}"

    ended = await comfyui.run(graph)

    assert ended.entry["status"]["status_str"] == "success"
    assert "SaveImage" in ended.entry["outputs"]


async def test_models_are_listed_as_their_loader_names_them(host: ComfyHost) -> None:
    folders = await host.model_folders()
    loader = (await host.schemas(["CheckpointLoaderSimple"]))["CheckpointLoaderSimple"]

    assert {"checkpoints", "loras", "vae"} <= set(folders)
    assert not {"custom_nodes", "configs"} & set(folders)
    assert set(await host.model_files("checkpoints")) == set(loader.inputs[0].choices or ())
    for folder in folders:
        assert not any(name.startswith("/") for name in await host.model_files(folder))


async def test_a_folder_that_is_not_there_has_no_files(host: ComfyHost) -> None:
    assert await host.model_files("contract-nope") == ()
    assert await host.model_files("../checkpoints") == ()


async def test_freed_results_are_made_again(comfyui: Comfy, host: ComfyHost) -> None:
    graph = fresh("small")
    await comfyui.run(graph)
    again = await comfyui.run(graph)
    permit = FreePermit(decision_id="dec_1")

    await host.free(permit, unload_models=True, free_memory=True)
    async with asyncio.timeout(60):
        # The worker frees when it comes to it, which may be after the next job.
        while (await comfyui.run(graph)).of(CACHED)[0]["nodes"]:
            pass

    assert again.of(CACHED)[0]["nodes"]
