"""Several pictures become one, which stays within its bytes."""

from __future__ import annotations

import pytest
from PIL import Image

from comfy_mcp.outputs.seen import Frame
from comfy_mcp.outputs.sheet import card, drawn, tile_side
from tests.outputs.files import noise, opened


@pytest.mark.parametrize("count", [2, 3, 4, 5, 9, 16])
@pytest.mark.parametrize("shape", [(192, 192), (192, 108), (60, 192)])
def test_every_tile_is_on_the_sheet(count: int, shape: tuple[int, int]) -> None:
    tones = [(16 * number + 8, 100, 255 - 16 * number) for number in range(count)]
    frames = [Frame(Image.new("RGB", shape, tone), str(n)) for n, tone in enumerate(tones)]

    sheet = opened(drawn(frames, 1024)).convert("RGB")

    assert max(sheet.size) < 6 * min(sheet.size)
    counted = sheet.getcolors(sheet.width * sheet.height)
    assert counted is not None
    pixels = [pixel for _, pixel in counted if isinstance(pixel, tuple)]
    for tone in tones:
        assert any(all(abs(a - b) < 6 for a, b in zip(p, tone, strict=True)) for p in pixels)


def test_sixteen_noisy_tiles_stay_within_their_bytes() -> None:
    side = tile_side(512, 16)

    data = drawn([Frame(noise(side, side), str(n)) for n in range(16)], 512)

    assert len(data) < 70_000


def test_one_picture_alone_has_no_frame_around_it() -> None:
    assert opened(drawn([Frame(Image.new("RGB", (90, 40)), "1")], 512)).size == (90, 40)


def test_tiles_are_as_large_as_fits_and_never_tiny() -> None:
    assert tile_side(1024, 1) == 1024
    assert tile_side(1024, 4) == 508
    assert tile_side(512, 16) == 192


def test_what_has_no_picture_has_a_card() -> None:
    picture = card("audio", 192)

    colors = picture.getcolors(100_000)
    assert picture.size == (192, 144)
    assert colors is not None
    assert len(colors) > 1
