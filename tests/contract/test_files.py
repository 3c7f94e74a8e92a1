"""/view gives out what is in the three folders and nothing else; /upload keeps what it is given."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from PIL import Image

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Answer, Comfy

pytestmark = pytest.mark.anyio


def png(color: str, mode: str = "RGB") -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new(mode, (8, 8), color).save(buffer, "PNG")
    return buffer.getvalue()


async def upload(
    comfyui: Comfy,
    content: bytes | io.BytesIO,
    name: str,
    to: str = "image",
    **fields: str,
) -> Answer:
    """A file in a form."""
    form = aiohttp.FormData()
    form.add_field("image", content, filename=name)
    for key, value in fields.items():
        form.add_field(key, value)
    return await comfyui.ask("POST", f"/upload/{to}", data=form)


async def test_a_file_is_given_out_whole_in_part_or_not_again(comfyui: Comfy) -> None:
    content, name = png("red"), f"contract-{new_id()}.png"
    await upload(comfyui, content, name)
    where = {"filename": name, "type": "input"}

    whole = await comfyui.get("/view", **where)
    part = await comfyui.ask("GET", "/view", params=where, headers={"Range": "bytes=0-9"})
    again = {"If-None-Match": whole.headers["Etag"]}
    unchanged = await comfyui.ask("GET", "/view", params=where, headers=again)

    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["Content-Type"] == "image/png"
    assert whole.headers["Content-Disposition"] == f'filename="{name}"'
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert ("X-Content-Type-Options" in whole.headers) is comfyui.since("0.28.0")
    assert (part.status, part.body) == (206, content[:10])
    assert part.headers["Content-Range"] == f"bytes 0-9/{len(content)}"
    assert unchanged.status == 304


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        ("bytes=0-", 206, 0, None),
        ("bytes=10-19", 206, 10, 20),
        ("bytes=-5", 206, -5, None),
        ("bytes=0-99999999", 206, 0, None),
        ("bytes=99999999-", 416, 0, 0),
        ("nonsense", 416, 0, 0),
    ],
)
async def test_a_part_of_a_file_is_what_was_asked_for_as_far_as_there_is_any(
    comfyui: Comfy, wanted: str, status: int, first: int, last: int | None
) -> None:
    content, name = png("red"), f"contract-{new_id()}.png"
    await upload(comfyui, content, name)

    answer = await comfyui.ask(
        "GET", "/api/view", params={"filename": name, "type": "input"}, headers={"Range": wanted}
    )

    assert answer.status == status
    if status == 206:
        part = content[first:last]
        assert answer.body == part
        assert answer.headers["Content-Length"] == str(len(part))
        assert answer.headers["Content-Range"].endswith(f"/{len(content)}")


async def test_a_name_may_say_which_folder_it_means(comfyui: Comfy) -> None:
    name = f"{new_id()}.png"
    await upload(comfyui, png("red"), name)

    answer = await comfyui.get("/view", filename=f"{name} [input]", type="temp")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 404),
        ({"filename": ""}, 400),
        ({"filename": "/etc/passwd"}, 400),
        ({"filename": "../x.png"}, 400),
        ({"filename": "contract-nope.png"}, 404),
        ({"filename": "x.png", "type": "nope"}, 400),
        ({"filename": "x.png", "subfolder": "../.."}, 403),
        ({"filename": "x.png", "subfolder": "/etc"}, 403),
    ],
)
async def test_what_is_not_there_or_not_ours_is_refused_without_words(
    comfyui: Comfy, query: dict[str, str], status: int
) -> None:
    answer = await comfyui.get("/view", **query)

    assert (answer.status, answer.body) == (status, "")


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"preview": "webp;90"}, "WEBP"),
        ({"preview": "jpeg;80"}, "JPEG"),
        ({"preview": "nonsense"}, "WEBP"),
        ({"channel": "rgb"}, "PNG"),
        ({"channel": "a"}, "PNG"),
    ],
)
async def test_a_picture_can_be_had_in_other_forms(
    comfyui: Comfy, query: dict[str, str], kind: str
) -> None:
    name = f"{new_id()}.png"
    await upload(comfyui, png("#ff000080", "RGBA"), name)

    answer = await comfyui.get("/view", filename=name, type="input", **query)

    assert answer.status == 200
    assert Image.open(io.BytesIO(answer.body)).format == kind


async def test_a_preview_of_what_is_no_picture_is_trouble(comfyui: Comfy) -> None:
    name = f"{new_id()}.html"
    await upload(comfyui, b"<script>", name)

    plain = await comfyui.get("/view", filename=name, type="input")
    preview = await comfyui.get("/view", filename=name, type="input", preview="webp")

    assert plain.headers["Content-Type"] == "application/octet-stream"
    attached = plain.headers["Content-Disposition"].startswith("attachment")
    assert attached is comfyui.since("0.28.0")
    assert preview.status == 500


async def test_the_same_file_is_kept_once_and_another_one_beside_it(comfyui: Comfy) -> None:
    name = new_id()
    first = await upload(comfyui, png("red"), f"{name}.png")
    same = await upload(comfyui, png("red"), f"{name}.png")
    other = await upload(comfyui, png("blue"), f"{name}.png")
    over = await upload(comfyui, png("lime"), f"{name}.png", overwrite="true")

    expected = {"name": f"{name}.png", "subfolder": "", "type": "input"}
    assert [first.body, same.body, over.body] == [expected] * 3
    assert other.body == {**expected, "name": f"{name} (1).png"}
    answer = await comfyui.get("/view", filename=f"{name}.png", type="input")
    assert answer.body == png("lime")


async def test_a_subfolder_is_made(comfyui: Comfy) -> None:
    name = f"{new_id()}.png"

    answer = await upload(comfyui, png("red"), name, subfolder="contract/a", type="temp")

    assert answer.body == {"name": name, "subfolder": "contract/a", "type": "temp"}
    found = await comfyui.get("/view", filename=name, type="temp", subfolder="contract/a")
    assert found.status == 200


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("x.png", {"subfolder": "../../x"}, 400),
        ("../../evil.png", {}, 400),
        ("x.png", {"type": "nope"}, 500),
    ],
)
async def test_an_upload_cannot_leave_its_folder(
    comfyui: Comfy, name: str, fields: dict[str, Any], status: int
) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("image", png("red"), filename=name)
    for key, value in fields.items():
        form.add_field(key, value)

    assert (await comfyui.ask("POST", "/upload/image", data=form)).status == status


async def test_an_upload_needs_a_file(comfyui: Comfy) -> None:
    nothing = aiohttp.FormData({"type": "input"}, default_to_multipart=True)
    field = aiohttp.FormData({"image": "text"}, default_to_multipart=True)

    assert (await comfyui.ask("POST", "/upload/image", data=nothing)).status == 400
    assert (await comfyui.post("/upload/image", {})).status == 400
    assert (await comfyui.ask("POST", "/upload/image", data=field)).status == 500


async def test_a_mask_becomes_the_alpha_of_its_picture(comfyui: Comfy) -> None:
    name, mask = new_id(), new_id()
    await upload(comfyui, png("red"), f"{name}.png")
    reference = f'{{"filename": "{name}.png", "type": "input"}}'

    answer = await upload(
        comfyui, png("#00000040", "RGBA"), f"{mask}.png", "mask", original_ref=reference
    )

    assert answer.body["name"] == f"{mask}.png"
    found = await comfyui.get("/view", filename=f"{mask}.png", type="input")
    assert Image.open(io.BytesIO(found.body)).getpixel((1, 1)) == (255, 0, 0, 64)


async def test_a_mask_without_its_picture_is_answered_and_not_kept(comfyui: Comfy) -> None:
    mask = new_id()
    for place in ('"filename": "contract-nope.png"', '"filename": "../x.png"'):
        answer = await upload(
            comfyui, png("red"), f"{mask}.png", "mask", original_ref=f"{{{place}}}"
        )
        assert answer.status == 200

    assert (await comfyui.get("/view", filename=f"{mask}.png", type="input")).status == 404


async def test_a_drawing_with_scripts_is_shown_to_pictures_only(comfyui: Comfy) -> None:
    name = f"{new_id()}.svg"
    await upload(comfyui, b"<svg/>", name)
    where = {"filename": name, "type": "input"}
    shown = {"Sec-Fetch-Dest": "image"}

    alone = await comfyui.get("/view", **where)
    inside = await comfyui.ask("GET", "/view", params=where, headers=shown)

    assert inside.headers["Content-Type"] == "image/svg+xml"
    kind = "application/octet-stream" if comfyui.since("0.28.0") else "image/svg+xml"
    assert alone.headers["Content-Type"] == kind


async def test_too_large_a_body_is_refused(comfyui: Comfy) -> None:
    answer = await upload(comfyui, io.BytesIO(bytes(101 * 1024 * 1024)), "big.png")

    assert answer.status == 413
    assert answer.body == "Maximum request body size 104857600 exceeded."


async def test_an_upload_can_be_loaded_and_an_edit_is_noticed(comfyui: Comfy) -> None:
    name = f"{new_id()}.png"
    graph = fresh("small")
    graph["1"] = {"class_type": "LoadImage", "inputs": {"image": name}}
    await upload(comfyui, png("red"), name)
    first = await comfyui.run(graph)
    await upload(comfyui, png("blue"), name, overwrite="true")
    second = await comfyui.run(graph)

    answer = await comfyui.get("/view", **second.entry["outputs"]["2"]["images"][0])
    assert first.entry["outputs"] != second.entry["outputs"]
    assert Image.open(io.BytesIO(answer.body)).convert("RGB").getpixel((1, 1)) == (0, 0, 255)
