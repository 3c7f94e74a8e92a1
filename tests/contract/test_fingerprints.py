"""What a node reads by a name is a file that was told by its content for that name."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from comfy_mcp.host.client import ComfyHost
from comfy_mcp.settings import Address
from comfy_mcp.workflow import parse_graph
from comfy_mcp.workflow.input_files import input_files
from tests.contract.probe import new_id
from tests.contract.test_files import upload
from tests.contract.test_pictures import show

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

PLACES = {("input", ""): 16, ("output", ""): 24, ("temp", ""): 32, ("input", "sub/d"): 40}
"""Folders that a file of the same name is in, with the width of the picture there."""


@pytest.fixture
async def host(comfyui: Comfy) -> AsyncIterator[ComfyHost]:
    """The host under contract as the server sees it."""
    made = ComfyHost(Address(comfyui.url), now_ms=lambda: 0)
    yield made
    await made.close()


def picture(width: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, 16), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "spelling"),
    [
        ("LoadImage", "{}"),
        ("LoadImage", "{} [input]"),
        ("LoadImage", "{} [output]"),
        ("LoadImage", "{} [temp]"),
        ("LoadImage", "{}_[output]"),
        ("LoadImage", "sub/d/{}"),
        ("LoadImageOutput", "{}"),
        ("LoadImageOutput", "{} [output]"),
    ],
)
async def test_the_picture_that_is_loaded_is_one_that_was_told(
    comfyui: Comfy, host: ComfyHost, kind: str, spelling: str
) -> None:
    name = f"contract-{new_id()}.png"
    for (folder, below), width in PLACES.items():
        answer = await upload(comfyui, picture(width), name, type=folder, subfolder=below)
        assert answer.status == 200
    nodes = {
        "1": {"class_type": kind, "inputs": {"image": spelling.format(name)}},
        "2": {"class_type": "GetImageSize", "inputs": {"image": ["1", 0]}},
        "3": show(0),
    }
    read = frozenset(one.name for one in input_files(parse_graph(nodes)))

    told = await host.fingerprints(read)
    ended = await comfyui.run(nodes)

    width = int(ended.entry["outputs"]["3"]["text"][0])
    expected = hashlib.sha256(picture(width)).hexdigest()
    assert expected in {one.sha256 for one in told.values()}
    if kind == "LoadImage":
        assert len(told) == 1


async def test_a_file_that_is_not_there_is_told_as_such(host: ComfyHost) -> None:
    name = f"contract-{new_id()}.png"

    (told,) = (await host.fingerprints(frozenset({name}))).values()

    assert (told.sha256, told.why) == (None, "ComfyUI has no such file")
