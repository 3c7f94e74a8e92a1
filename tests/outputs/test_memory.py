"""Files that were made to fill memory do not: each is looked at under a hard limit, and ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, zlib, struct, io
from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.looking import look_at
from comfy_mcp.outputs.sheet import drawn
from comfy_mcp.outputs.seen import Wanted
from tests.outputs import files
from tests.outputs.test_pictures import animation, webp_of_size
from PIL import Image
Image.init()
def flat(side):
    row = b"\\0" * (side * 3 + 1)
    parts = (files.chunk(b"IDAT", zlib.compress(row * side)),)
    return files._png(side, side, *parts)
def moving_webp(side):
    data = bytearray(animation("WEBP"))
    data[24:30] = 2 * (side - 1).to_bytes(3, "little")
    return bytes(data)
data, kind = {
    "a bomb of pixels": lambda: (files.png_of_size(200_000, 200_000), "image"),
    "the largest picture": lambda: (flat(6_300), "image"),
    "a bomb of frames": lambda: (files.gif(100_000), "image"),
    "large frames": lambda: (files.gif(1_000, 7_000, 5_000), "image"),
    "a large canvas": lambda: (webp_of_size(16_384, 16_384), "image"),
    "a moving WebP": lambda: (moving_webp(6_000), "image"),
    "the largest WebP": lambda: (moving_webp(5_000), "image"),
    "a bomb of words": lambda: (files._png(
        1, 1, files.chunk(b"zTXt", b"a\\0\\0" + zlib.compress(bytes(500_000_000)))), "image"),
    "100 MB of nothing": lambda: (b"\\x89PNG\\r\\n\\x1a\\n" + bytes(100_000_000), "image"),
    "a deep scene": lambda: (b"[" * 5_000_000, "3d"),
    "a header of 4 GB": lambda: (b"\\xff\\xff\\xff\\xff\\0\\0\\0\\0{}", "latent"),
    "an endless text": lambda: (b"\\xff" * 60_000_000, "text"),
    "a sound of 2 GB": lambda: (files.wav(0.1)[:40] + b"\\xff\\xff\\xff\\x7f" + bytes(90), "audio"),
}[sys.argv[1]]()
limit = 900_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    seen = look_at(data, kind, "", Wanted())
    if seen.frames:
        assert len(drawn(seen.frames, 512)) < 70_000
except OutputError as error:
    print("refused:", error)
else:
    print("seen:", str(seen.facts)[:200])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to that limit")
@pytest.mark.parametrize(
    "what",
    [
        "a bomb of pixels",
        "the largest picture",
        "a bomb of frames",
        "large frames",
        "a large canvas",
        "a moving WebP",
        "the largest WebP",
        "a bomb of words",
        "100 MB of nothing",
        "a deep scene",
        "a header of 4 GB",
        "an endless text",
        "a sound of 2 GB",
    ],
)
def test_a_file_is_seen_or_refused_within_900_mb(what: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", PROGRAM, what],
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("seen:", "refused:"))
    assert "MemoryError" not in done.stderr
