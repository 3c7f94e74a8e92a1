"""Small files with large pictures: refused by their size, or checked within a hard limit."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import io, resource, sys
from PIL import Image
from comfy_mcp.errors import InputError
from comfy_mcp.inputs import identified, masked
Image.init()

def saved(kind, side, mode="RGB", **options):
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()

def moving(side):
    "Small frames on a canvas of that side, which the decoder keeps several times."
    frame = Image.new("RGB", (16, 16), "red")
    buffer = io.BytesIO()
    frame.save(buffer, "WEBP", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    data = bytearray(buffer.getvalue())
    data[24:30] = 2 * (side - 1).to_bytes(3, "little")
    return bytes(data)

def looked(data):
    return lambda: identified(io.BytesIO(data), len(data))

what = {
    "a moving WebP": lambda: looked(moving(8_000)),
    "a still WebP": lambda: looked(saved("WEBP", 8_000, lossless=True, method=0)),
    "the largest WebP": lambda: looked(moving(5_000)),
    "a progressive JPEG": lambda: looked(saved("JPEG", 7_000, "CMYK", progressive=True)),
    "a large PNG": lambda: looked(saved("PNG", 8_000, "L")),
    "a mask": lambda: lambda: masked(saved("PNG", 5_700), saved("PNG", 5_700, "L")),
    "a larger mask": lambda: lambda: masked(saved("PNG", 8_000, "L"), saved("PNG", 8_000, "L")),
}[sys.argv[1]]()
limit = 800_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    what()
except InputError as error:
    print("refused:", error)
else:
    print("taken")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to that limit")
@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("a moving WebP", "8000x8000: 25165824 pixels are the most that is taken of this kind"),
        ("a still WebP", "or give a PNG"),
        ("the largest WebP", "taken"),
        ("a progressive JPEG", "of this kind"),
        ("a large PNG", "taken"),
        ("a mask", "taken"),
        ("a larger mask", "8000x8000: 33554432 pixels"),
    ],
)
def test_a_picture_is_taken_or_refused_by_its_size_within_800_mb(what: str, answer: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", PROGRAM, what],
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert answer in done.stdout
