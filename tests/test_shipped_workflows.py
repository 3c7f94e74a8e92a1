"""Promise: every shipped workflow is sound, explained, documented, and runs as it is."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost
from comfy_mcp.library import Library, LibraryWorkflow, shipped_folder
from comfy_mcp.workflow import Filled, Parameter, fill

LIBRARY = Library([shipped_folder()])
NAMES = LIBRARY.names()
ALL = [LIBRARY.load(name) for name in NAMES]
PARAMETERS = [(workflow, each) for workflow in ALL for each in workflow.manifest.parameters]
DOCS = Path(__file__).parent.parent / "docs" / "workflows.md"
DEMO = "embedded-demo.safetensors"
EACH_WORKFLOW = pytest.mark.parametrize("workflow", ALL, ids=NAMES)
EACH_PARAMETER = pytest.mark.parametrize(
    ("workflow", "parameter"), PARAMETERS, ids=[f"{w.name}-{p.name}" for w, p in PARAMETERS]
)
REQUIRED: dict[str, dict[str, object]] = {
    "color_card": {},
    "img2img": {"image": "photo.png", "prompt": "a lighthouse"},
    "txt2img": {"prompt": "a lighthouse"},
    "upscale": {"image": "photo.png"},
}


def filled(name: str, **params: object) -> Filled:
    workflow = LIBRARY.load(name)
    given = {**REQUIRED[name], **params}
    return fill(workflow.graph, workflow.manifest, given, draw_seed=lambda: 7)


@pytest.fixture(params=["0.3.40", "0.33"])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[EmbeddedHost]:
    async with EmbeddedHost(profile=request.param) as running:
        yield running


@pytest.fixture
async def client(host: EmbeddedHost) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(host.url) as session:
        yield session


async def run(
    host: EmbeddedHost, client: aiohttp.ClientSession, graph: object
) -> list[Image.Image]:
    """The pictures that *graph* saves."""
    async with client.post("/api/prompt", json={"prompt": graph}) as answer:
        accepted = await answer.json()
    assert accepted.get("node_errors") == {}, accepted
    prompt_id = accepted["prompt_id"]
    await host.until(lambda now: prompt_id in now.finished)
    async with client.get(f"/api/history/{prompt_id}") as answer:
        entry: dict[str, Any] = (await answer.json())[prompt_id]
    assert entry["status"]["status_str"] == "success", entry["status"]
    files = [file for outputs in entry["outputs"].values() for file in outputs["images"]]
    return [await picture(client, file) for file in files]


async def picture(client: aiohttp.ClientSession, file: dict[str, str]) -> Image.Image:
    assert (file["type"], file["subfolder"]) == ("output", "guard")
    async with client.get("/api/view", params=file) as answer:
        assert answer.status == 200
        return Image.open(io.BytesIO(await answer.read())).convert("RGB")


async def upload(client: aiohttp.ClientSession, name: str) -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 40, 40)).save(data, "PNG")
    form = aiohttp.FormData()
    form.add_field("image", data.getvalue(), filename=name, content_type="image/png")
    async with client.post("/api/upload/image", data=form) as answer:
        assert answer.status == 200


@EACH_WORKFLOW
def test_required_parameters_are_enough(workflow: LibraryWorkflow) -> None:
    names = {each.name for each in workflow.manifest.parameters if each.required}

    assert names == set(REQUIRED[workflow.name])
    values = filled(workflow.name).values
    assert set(values) == set(workflow.manifest.names)


@EACH_PARAMETER
def test_a_default_is_what_the_graph_already_holds(
    workflow: LibraryWorkflow, parameter: Parameter
) -> None:
    """So that the file itself can be loaded in ComfyUI and does the same."""
    if parameter.default is not None:
        for target in parameter.fills:
            assert workflow.graph.nodes[target.node].inputs[target.input] == parameter.default


@EACH_PARAMETER
def test_a_parameter_is_explained_in_one_short_sentence(
    workflow: LibraryWorkflow, parameter: Parameter
) -> None:
    assert workflow.description
    assert parameter.description.endswith(".")
    assert len(parameter.description) <= 120


@EACH_WORKFLOW
def test_every_node_has_a_title(workflow: LibraryWorkflow) -> None:
    assert all(node.title for node in workflow.graph.nodes.values())


@EACH_WORKFLOW
def test_files_are_saved_in_a_folder_of_ours(workflow: LibraryWorkflow) -> None:
    saved = [
        node.inputs["filename_prefix"]
        for node in workflow.graph.nodes.values()
        if node.class_type == "SaveImage"
    ]

    assert saved == [f"guard/{workflow.name}"]


def test_the_color_card_needs_no_model() -> None:
    classes = {node.class_type for node in LIBRARY.load("color_card").graph.nodes.values()}

    assert classes == {
        *("EmptyImage", "ImageBlend", "ImagePadForOutpaint", "ImageScale", "SaveImage"),
    }


@EACH_WORKFLOW
def test_every_workflow_and_parameter_is_documented(workflow: LibraryWorkflow) -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert f"### `{workflow.name}`" in text
    section = text.partition(f"### `{workflow.name}`")[2].partition("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]

    assert workflow.description in section
    assert rows == [row(each) for each in workflow.manifest.parameters]


@pytest.mark.parametrize("choices", sorted({each.choices for _, each in PARAMETERS} - {()}))
def test_every_choice_is_documented(choices: tuple[str, ...]) -> None:
    assert ", ".join(choices) in DOCS.read_text(encoding="utf-8").replace("\n", " ")


def test_the_example_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "poster.json").write_text(example, encoding="utf-8")

    poster = Library([tmp_path]).load("poster")
    found = fill(poster.graph, poster.manifest, {"color": 5}, draw_seed=lambda: 7)

    assert found.values == {"color": 5, "size": 512}
    assert found.graph.nodes["1"].inputs["color"] == 5


def row(each: Parameter) -> str:
    """The line of the documentation's table: name, type, default, meaning."""
    default = "required" if each.required else f"`{each.default}`"
    if not each.required and each.default is None:
        default = "drawn"
    if each.default == "":
        default = "empty"
    kind: str = each.type
    if each.min is not None:
        kind += f", {each.min} to {each.max}"
    return f"| `{each.name}` | {kind} | {default} | {each.description} |"


@pytest.mark.anyio
async def test_the_color_card_has_two_tones_in_a_grey_frame(
    host: EmbeddedHost, client: aiohttp.ClientSession
) -> None:
    graph = filled("color_card", color=0x3366CC, width=256, height=128).graph.to_json()

    (card,) = await run(host, client, graph)

    assert card.size == (256, 128)
    assert near(card.getpixel((4, 4)), (127, 127, 127))
    assert near(card.getpixel((128, 40)), (0x33, 0x66, 0xCC))
    assert near(card.getpixel((128, 108)), (0x99, 0xB2, 0xE5))


def near(got: object, wanted: tuple[int, int, int]) -> bool:
    """Equal but for what rounding does."""
    assert isinstance(got, tuple)
    return all(abs(one - other) <= 2 for one, other in zip(got, wanted, strict=True))


@pytest.mark.anyio
async def test_text_to_image_makes_as_many_pictures_as_asked(
    host: EmbeddedHost, client: aiohttp.ClientSession
) -> None:
    small = {"checkpoint": DEMO, "steps": 2, "width": 64, "height": 96, "batch_size": 2}

    pictures = await run(host, client, filled("txt2img", **small).graph.to_json())

    assert [each.size for each in pictures] == [(64, 96), (64, 96)]


@pytest.mark.anyio
async def test_image_to_image_keeps_the_size(
    host: EmbeddedHost, client: aiohttp.ClientSession
) -> None:
    await upload(client, "photo.png")

    graph = filled("img2img", checkpoint=DEMO, steps=2).graph.to_json()
    (made,) = await run(host, client, graph)

    assert made.size == (64, 48)


@pytest.mark.anyio
async def test_upscale_enlarges(host: EmbeddedHost, client: aiohttp.ClientSession) -> None:
    await upload(client, "photo.png")

    graph = filled("upscale", upscale_model="embedded-demo-2x.pth").graph.to_json()
    (made,) = await run(host, client, graph)

    assert made.size == (128, 96)
