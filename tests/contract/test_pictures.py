"""No picture is loaded larger, or as more of them, than its file was measured to be."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from comfy_mcp.host.picture_files import measured
from tests.contract.probe import new_id
from tests.contract.test_files import upload

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

SMALL, LARGE = (64, 48), (160, 120)


def picture(kind: str, size: tuple[int, int] = SMALL, **options: Any) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str, count: int) -> bytes:
    """Pictures one after another."""
    buffer = io.BytesIO()
    first, *others = [Image.new("RGB", SMALL, (40 * turn, 0, 0)) for turn in range(count)]
    first.save(buffer, kind, save_all=True, append_images=others, duration=100)
    return buffer.getvalue()


def turned() -> Image.Exif:
    """Says that the picture lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def lying(png: bytes) -> bytes:
    """An animation that says it has one picture."""
    at = png.index(b"acTL")
    data = struct.pack(">I", 1) + png[at + 8 : at + 12]
    checked = b"acTL" + data
    return png[:at] + checked + struct.pack(">I", zlib.crc32(checked)) + png[at + 16 :]


PNG, JPEG, BMP, WEBP = (picture(kind) for kind in ("PNG", "JPEG", "BMP", "WEBP"))
GIFS = animation("GIF", 4)

FILES = {
    "one.png": PNG,
    "one.jpg": JPEG,
    "one.bmp": BMP,
    "one.webp": WEBP,
    "one.gif": picture("GIF"),
    "side.jpg": picture("JPEG", exif=turned()),
    "side.png": picture("PNG", exif=turned()),
    "side.webp": picture("WEBP", exif=turned()),
    "many.gif": GIFS,
    "many.png": animation("PNG", 5),
    "many.webp": animation("WEBP", 4),
    "lying.png": lying(animation("PNG", 5)),
    "joined.png": PNG * 3,
    "joined.bmp": BMP * 3,
    "joined.webp": WEBP * 3,
    "joined.gif": GIFS * 2,
    "joined.jpg": JPEG * 3,
    "apart.png": PNG + b"junk" + PNG,
    "apart.jpg": JPEG + b"junk" + JPEG * 2,
    "film.bin": JPEG * 3,
    "film.mjpeg": JPEG * 3,
    "two.jpg": JPEG[:-2] + picture("JPEG", LARGE)[2:],
    "longer.bmp": BMP[:2] + struct.pack("<I", 3 * len(BMP)) + BMP[6:] + BMP * 2,
}
PLAIN = ("one.", "side.", "many.", "lying.")


@pytest.mark.parametrize("name", FILES)
async def test_no_file_is_loaded_as_more_than_it_was_measured(comfyui: Comfy, name: str) -> None:
    made = f"contract-{new_id()}-{name}"
    size = measured(FILES[name], made)

    loaded = await as_loaded(comfyui, FILES[name], made)

    if size is None:
        assert not name.startswith(PLAIN)
    elif loaded is not None:
        assert loaded <= size
        assert loaded[:2] == size[:2]
    if name.startswith(PLAIN) and name != "lying.png":
        assert loaded == size


async def as_loaded(comfyui: Comfy, content: bytes, name: str) -> tuple[int, int, int] | None:
    """Width, height and number of what LoadImage makes of a file; None if it fails."""
    await upload(comfyui, content, name)
    shown = {str(3 + slot): show(slot) for slot in range(3)}
    load = {"class_type": "LoadImage", "inputs": {"image": name}}
    size = {"class_type": "GetImageSize", "inputs": {"image": ["1", 0]}}

    ended = await comfyui.run({"1": load, "2": size, **shown})

    if not ended.entry["status"]["completed"]:
        return None
    width, height, count = (ended.entry["outputs"][each]["text"][0] for each in sorted(shown))
    return int(width), int(height), int(count)


def show(slot: int) -> dict[str, Any]:
    """A node that shows an output of node 2."""
    return {"class_type": "PreviewAny", "inputs": {"source": ["2", slot]}}
