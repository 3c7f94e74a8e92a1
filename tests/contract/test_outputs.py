"""What nodes leave behind: names, folders, kinds, and what a picture remembers."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def shown(comfyui: Comfy, entry: dict[str, Any]) -> Image.Image:
    """The picture of an output entry."""
    answer = await comfyui.get("/view", **entry)
    assert answer.status == 200
    picture = Image.open(io.BytesIO(answer.body))
    picture.load()
    return picture


async def test_files_are_counted_up_in_the_folder_of_their_prefix(comfyui: Comfy) -> None:
    name = new_id()
    graph = fresh("batch")
    graph["2"]["inputs"]["filename_prefix"] = f"contract/{name}/a"
    first = await comfyui.run(graph)
    graph["1"]["inputs"]["batch_size"] = 1
    second = await comfyui.run(graph)

    images = first.entry["outputs"]["2"]["images"] + second.entry["outputs"]["2"]["images"]
    assert images == [
        {"filename": f"a_{n:05}_.png", "subfolder": f"contract/{name}", "type": "output"}
        for n in range(1, 6)
    ]


async def test_a_prefix_may_speak_of_size_and_time(comfyui: Comfy) -> None:
    graph, name = fresh("small"), new_id()
    graph["2"]["inputs"]["filename_prefix"] = f"contract/{name}_%width%x%height%_%year%"

    ended = await comfyui.run(graph)

    [image] = ended.entry["outputs"]["2"]["images"]
    assert re.fullmatch(name + r"_64x64_\d{4}_00001_.png", image["filename"])


async def test_the_medium_workflow_leaves_a_file_a_preview_and_text(comfyui: Comfy) -> None:
    graph = fresh("medium")
    ended = await comfyui.run(graph)

    outputs = ended.entry["outputs"]
    assert set(outputs) == {"6", "7", "9"}
    assert outputs["9"] == {"text": [graph["8"]["inputs"]["value"]]}
    [preview] = outputs["7"]["images"]
    assert re.fullmatch(r"ComfyUI_temp_[a-z]{5}_\d{5}_.png", preview["filename"])
    assert (preview["type"], preview["subfolder"]) == ("temp", "")
    assert (await shown(comfyui, outputs["6"]["images"][0])).size == (1024, 768)
    assert (await shown(comfyui, preview)).size == (512, 512)


async def test_pixels_come_out_as_they_should(comfyui: Comfy) -> None:
    graph = fresh("medium")
    graph["1"]["inputs"]["color"], graph["2"]["inputs"]["color"] = 0xC80000, 0x0000FF
    ended = await comfyui.run(graph)

    outputs = ended.entry["outputs"]
    blended = (await shown(comfyui, outputs["7"]["images"][0])).convert("RGB").getpixel((9, 9))
    inverted = (await shown(comfyui, outputs["6"]["images"][0])).convert("RGB").getpixel((9, 9))
    assert all(abs(a - b) <= 1 for a, b in zip(blended, (200, 0, 127), strict=True))
    assert all(abs(a - b) <= 1 for a, b in zip(inverted, (55, 255, 128), strict=True))


async def test_a_picture_remembers_the_prompt_and_what_the_client_added(comfyui: Comfy) -> None:
    graph = fresh("small")
    workflow = {"id": "wf", "nodes": []}

    ended = await comfyui.run(graph, extra_data={"extra_pnginfo": {"workflow": workflow}})

    picture = await shown(comfyui, ended.entry["outputs"]["2"]["images"][0])
    assert '"EmptyImage"' in picture.info["prompt"]
    assert '"wf"' in picture.info["workflow"]


async def test_an_animation_is_told_under_images(comfyui: Comfy) -> None:
    graph = fresh("batch")
    graph["2"] = {
        "class_type": "SaveAnimatedWEBP",
        "inputs": {
            "images": ["1", 0],
            "filename_prefix": f"contract/{new_id()}",
            "fps": 6.0,
            "lossless": True,
            "quality": 80,
            "method": "default",
        },
    }

    ended = await comfyui.run(graph)

    outputs = ended.entry["outputs"]["2"]
    assert set(outputs) == {"images", "animated"}
    assert outputs["animated"] == [True]
    assert outputs["images"][0]["filename"].endswith("_00001_.webp")


async def test_saved_text_is_a_file_and_shown(comfyui: Comfy) -> None:
    if not comfyui.since("0.28.0"):
        pytest.skip("this version cannot save text")
    prefix = new_id()
    graph = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": prefix}},
        "2": {
            "class_type": "SaveText",
            "inputs": {"text": ["1", 0], "filename_prefix": f"contract/{prefix}", "format": "txt"},
        },
    }

    ended = await comfyui.run(graph)

    file = {"filename": f"{prefix}_00001.txt", "subfolder": "contract", "type": "output"}
    assert ended.entry["outputs"]["2"] == {"text": [prefix], "files": [file]}
    assert (await comfyui.get("/view", **file)).body == prefix


async def test_a_list_is_worked_off_element_by_element(comfyui: Comfy) -> None:
    graph = fresh("slow")
    graph["1"]["inputs"] |= {"batch_size": 5, "width": 32, "height": 32}
    graph["2"]["inputs"]["batch_size"] = 2

    ended = await comfyui.run(graph)

    names = [image["filename"] for image in ended.entry["outputs"]["4"]["images"]]
    assert len(set(names)) == 5
