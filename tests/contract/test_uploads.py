"""What is uploaded is what nodes load, on every host; and from there to a file in a web project."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from PIL import Image

from comfy_mcp.errors import PermitError
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.permit import UploadPermit
from comfy_mcp.server import build, now_ms
from comfy_mcp.settings import Address, Settings
from tests.contract.probe import Comfy
from tests.inputs.samples import wav
from tests.tools.files import FILES

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(comfyui: Comfy, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a server of this host, with a folder to read from and one to write to."""
    for name in ("in", "web"):
        (tmp_path / name).mkdir()
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(FILES))
    settings = Settings(
        address=Address(comfyui.url),
        policies=(policy,),
        state=tmp_path / "state",
        input_roots=(tmp_path / "in",),
        export_roots=(tmp_path / "web",),
    )
    server, _ = build(settings)
    async with Client(server) as client:
        yield client


async def ask(desk: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await desk.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def run(desk: Client, graph: dict[str, Any]) -> list[dict[str, Any]]:
    job = await ask(desk, "run_workflow", workflow=graph, wait_seconds=60)
    assert job["status"] == "completed", job
    return job["outputs"]


def picture(size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture that no host has seen before: its digest is its name."""
    drawn = Image.frombytes(
        "RGB", size, hashlib.shake_128(uuid.uuid4().bytes).digest(size[0] * size[1] * 3)
    )
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def prefix() -> str:
    return f"contract/{uuid.uuid4().hex}"


async def test_a_picture_is_uploaded_scaled_blended_viewed_and_exported_small(
    desk: Client, tmp_path: Path
) -> None:
    (tmp_path / "in" / "second.png").write_bytes(picture((320, 240)))
    one = await ask(desk, "upload_input", source=b64(picture((640, 480))), name="first picture")
    two = await ask(desk, "upload_input", source="second.png")

    (output,) = await run(
        desk,
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": one["name"]}},
            "2": {"class_type": "LoadImage", "inputs": {"image": two["name"]}},
            "3": {
                "class_type": "ImageScale",
                "inputs": {
                    "image": ["2", 0],
                    "width": 640,
                    "height": 480,
                    "upscale_method": "bilinear",
                    "crop": "disabled",
                },
            },
            "4": {
                "class_type": "ImageBlend",
                "inputs": {
                    "image1": ["1", 0],
                    "image2": ["3", 0],
                    "blend_factor": 0.5,
                    "blend_mode": "normal",
                },
            },
            "5": {
                "class_type": "SaveImage",
                "inputs": {"images": ["4", 0], "filename_prefix": prefix()},
            },
        },
    )
    viewed = await desk.call_tool("view_output", {"uri": output["uri"]})
    done = await ask(
        desk,
        "export_output",
        uri=output["uri"],
        to="img/hero.webp",
        max_bytes=100_000,
        manifest="assets.json",
    )

    assert viewed.content[0].mime_type == "image/jpeg"
    path = tmp_path / "web" / "img" / "hero.webp"
    assert path.stat().st_size == done["bytes"] < 100_000
    assert b"class_type" not in path.read_bytes()
    with Image.open(path) as exported:
        assert exported.format == "WEBP"
        assert exported.size == (done["width"], done["height"])
    listed = json.loads((tmp_path / "web" / "assets.json").read_text())
    assert listed["assets"]["img/hero"]["source"] == output["uri"]


async def test_the_same_bytes_are_one_file_and_others_another(desk: Client, comfyui: Comfy) -> None:
    data = picture()

    first = await ask(desk, "upload_input", source=b64(data), name="same")
    again = await ask(desk, "upload_input", source=b64(data), name="same")
    other = await ask(desk, "upload_input", source=b64(picture()), name="same")

    assert again == {**first, "existed": True}
    assert other["name"] != first["name"]
    folder, _, name = first["name"].rpartition("/")
    kept = await comfyui.get("/view", filename=name, subfolder=folder, type="input")
    assert kept.body == data


async def test_a_mask_of_its_own_and_one_in_its_picture_mean_the_same(desk: Client) -> None:
    mask = Image.new("L", (96, 64), 0)
    mask.paste(255, (0, 0, 48, 64))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    below = await ask(desk, "upload_input", source=b64(picture()))
    alone = await ask(desk, "upload_input", source=b64(buffer.getvalue()), kind="mask")
    both = await ask(desk, "upload_input", source=b64(buffer.getvalue()), mask_for=below["name"])

    outputs = await run(
        desk,
        {
            "1": {
                "class_type": "LoadImageMask",
                "inputs": {"image": alone["name"], "channel": "red"},
            },
            "2": {"class_type": "LoadImage", "inputs": {"image": both["name"]}},
            **{
                node: {"class_type": "MaskToImage", "inputs": {"mask": source}}
                for node, source in (("3", ["1", 0]), ("4", ["2", 1]))
            },
            **{
                node: {
                    "class_type": "SaveImage",
                    "inputs": {"images": [source, 0], "filename_prefix": prefix()},
                }
                for node, source in (("5", "3"), ("6", "4"))
            },
        },
    )

    seen = [await pixels(desk, one["uri"]) for one in outputs]
    # White may come out of floating point as 254.
    assert [[value > 250 for value in one] for one in seen] == [[True, False]] * 2


async def pixels(desk: Client, uri: str) -> list[int]:
    """How red a pixel on the left and one on the right of an output are."""
    (content,) = (await desk.read_resource(uri)).contents
    with Image.open(io.BytesIO(base64.b64decode(content.blob))) as image:
        plain = image.convert("RGB")
        return [plain.getpixel((at, 10))[0] for at in (10, 80)]


async def has(comfyui: Comfy, *classes: str) -> bool:
    return all([(await comfyui.get(f"/object_info/{one}")).body for one in classes])


async def test_a_sound_is_loaded(desk: Client, comfyui: Comfy) -> None:
    if not await has(comfyui, "LoadAudio", "SaveAudio"):
        pytest.skip("this host has no LoadAudio")
    done = await ask(desk, "upload_input", source=b64(wav(0.7)), name="tone")

    (output,) = await run(
        desk,
        {
            "1": {"class_type": "LoadAudio", "inputs": {"audio": done["name"]}},
            "2": {
                "class_type": "SaveAudio",
                "inputs": {"audio": ["1", 0], "filename_prefix": prefix()},
            },
        },
    )

    assert done["seconds"] == 0.7
    assert output["kind"] == "audio"


async def test_a_video_of_one_run_is_loaded_by_the_next(
    desk: Client, comfyui: Comfy, tmp_path: Path
) -> None:
    if not await has(comfyui, "CreateVideo", "SaveVideo", "LoadVideo"):
        pytest.skip("this host has no LoadVideo")
    frames = {"width": 64, "height": 64, "batch_size": 8, "color": uuid.uuid4().int % 0xFFFFFF}
    saved = {"filename_prefix": prefix(), "format": "mp4", "codec": "h264"}
    (first,) = await run(
        desk,
        {
            "1": {"class_type": "EmptyImage", "inputs": frames},
            "2": {"class_type": "CreateVideo", "inputs": {"images": ["1", 0], "fps": 8.0}},
            "3": {"class_type": "SaveVideo", "inputs": {"video": ["2", 0], **saved}},
        },
    )
    done = await ask(desk, "upload_input", source=first["uri"])
    (second,) = await run(
        desk,
        {
            "1": {"class_type": "LoadVideo", "inputs": {"file": done["name"]}},
            "2": {"class_type": "SaveVideo", "inputs": {"video": ["1", 0], **saved}},
        },
    )
    exported = await ask(desk, "export_output", uri=second["uri"], to="clips/")

    assert done["name"].endswith(".mp4")
    assert done["load_with"] == "LoadVideo.file"
    assert done["seconds"] == pytest.approx(1.0, abs=0.2)
    assert (tmp_path / "web" / exported["path"]).suffix == ".mp4"


async def test_nothing_is_sent_without_a_permit_for_these_bytes_under_this_name(
    comfyui: Comfy,
) -> None:
    data, name = picture(), f"guard-contract/{uuid.uuid4().hex}.png"
    right = hashlib.sha256(data).hexdigest()
    host = ComfyHost(Address(comfyui.url), now_ms=now_ms)

    async def send(permit_name: str, sha256: str) -> str:
        permit = UploadPermit(decision_id="dec_1", name=permit_name, sha256=sha256)
        stored = await host.upload(
            io.BytesIO(data), name=name, mime_type="image/png", permit=permit
        )
        return stored.name

    try:
        with pytest.raises(PermitError):
            await send("guard-contract/other.png", right)
        with pytest.raises(PermitError):
            await send(name, hashlib.sha256(b"other").hexdigest())
        folder, _, plain = name.rpartition("/")
        where = {"filename": plain, "subfolder": folder, "type": "input"}
        assert (await comfyui.get("/view", **where)).status == 404
        assert await send(name, right) == name
        assert (await comfyui.get("/view", **where)).body == data
    finally:
        await host.close()
