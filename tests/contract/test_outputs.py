"""What nodes leave behind: names, folders, kinds, and what a picture remembers."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from comfy_mcp.outputs import kind_of, mime_type
from comfy_mcp.outputs.films import can_read_films
from comfy_mcp.outputs.looking import look_at
from comfy_mcp.outputs.remembered import remembered_graph
from comfy_mcp.outputs.seen import Seen, Wanted
from tests.contract.probe import fresh, new_id
from tests.tools.shown import moving, sounding

if TYPE_CHECKING:
    from tests.contract.probe import Comfy, Ended

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


async def looked_at(comfyui: Comfy, ended: Ended, node: str, key: str) -> tuple[str, bytes, Seen]:
    """The name of the only file of a node, its bytes, and what is seen of it."""
    [entry] = ended.entry["outputs"][node][key]
    body = (await comfyui.get("/view", **entry)).body
    name = entry["filename"]
    return name, body, look_at(body, kind_of(name), mime_type(name), Wanted(frames=2))


@pytest.mark.parametrize(
    ("node", "ending"), [("SaveAnimatedWEBP", "webp"), ("SaveAnimatedPNG", "png")]
)
async def test_an_animation_is_seen_and_remembers_its_graph(
    comfyui: Comfy, node: str, ending: str
) -> None:
    color = int(new_id()[:6], 16)
    graph = moving(node, (color, color ^ 0xFFFFFF))
    graph["save"]["inputs"]["filename_prefix"] = f"contract/{new_id()}"

    ended = await comfyui.run(graph)

    assert ended.entry["outputs"]["save"]["animated"] == [True]
    name, body, seen = await looked_at(comfyui, ended, "save", "images")
    assert name.endswith(f"_00001_.{ending}")
    assert seen.facts == {"size": "96x64", "frames": 2, "seconds": 0.5}
    remembered = remembered_graph(body)
    assert remembered is not None
    assert remembered["e0"]["inputs"]["color"] == color


async def test_sounds_and_latents_are_seen_and_remember_their_graph(comfyui: Comfy) -> None:
    graph, name = sounding(1.0 + int(new_id()[:4], 16) % 1000 / 1000), new_id()
    graph["2"]["inputs"]["filename_prefix"] = f"contract/{name}"
    graph["5"]["inputs"]["filename_prefix"] = f"contract/{name}l"

    ended = await comfyui.run(graph)

    assert set(ended.entry["outputs"]) == {"2", "3", "5"}
    kept, body, sound = await looked_at(comfyui, ended, "2", "audio")
    assert re.fullmatch(name + r"_00001_?\.flac", kept)
    assert (sound.facts["channels"], sound.facts["sample_rate"]) == (2, 8000)
    assert sound.facts["seconds"] == pytest.approx(graph["1"]["inputs"]["duration"], abs=0.01)
    assert set(remembered_graph(body) or ()) == set(graph)
    [temp] = ended.entry["outputs"]["3"]["audio"]
    assert temp["type"] == "temp"
    kept, body, latent = await looked_at(comfyui, ended, "5", "latents")
    assert kept == f"{name}l_00001_.latent"
    assert "latent_tensor: 1x4x8x8 F32" in str(latent.facts["first"])
    assert set(remembered_graph(body) or ()) == set(graph)


async def test_a_video_is_seen_where_the_host_can_make_one(comfyui: Comfy) -> None:
    if not (await comfyui.get("/object_info/SaveVideo")).body or not can_read_films():
        pytest.skip("this host encodes no video, or nothing here decodes one")
    graph = moving(colors=(0x102030, int(new_id()[:6], 16)))
    del graph["save"]
    graph["v"] = {"class_type": "CreateVideo", "inputs": {"images": ["b1", 0], "fps": 2.0}}
    saved = {"filename_prefix": f"contract/{new_id()}", "format": "auto", "codec": "auto"}
    graph["save"] = {"class_type": "SaveVideo", "inputs": {"video": ["v", 0], **saved}}

    ended = await comfyui.run(graph)

    name, body, seen = await looked_at(comfyui, ended, "save", "images")
    assert name.endswith(".mp4")
    assert (seen.facts["size"], seen.facts["seconds"], seen.facts["fps"]) == ("96x64", 1.0, 2.0)
    assert len(seen.frames) == 2
    assert set(remembered_graph(body) or ()) == set(graph)
