"""A mask becomes the transparency of its picture, and the colours under it stay."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from comfy_mcp.errors import InputError
from comfy_mcp.inputs import masked
from tests.inputs.samples import picture, png


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def half_white(size: tuple[int, int] = (8, 6)) -> Image.Image:
    mask = Image.new("L", size, 0)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def test_what_is_white_in_a_mask_is_see_through_in_the_picture() -> None:
    with Image.open(io.BytesIO(masked(png(color="orange"), saved(half_white())))) as made:
        assert (made.format, made.mode, made.size) == ("PNG", "RGBA", (8, 6))
        assert made.getpixel((0, 0)) == (255, 165, 0, 0)
        assert made.getpixel((7, 5)) == (255, 165, 0, 255)


def test_a_mask_that_is_itself_see_through_counts_by_that() -> None:
    mask = Image.new("RGBA", (8, 6), (255, 255, 255, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 4, 6))

    with Image.open(io.BytesIO(masked(png(), saved(mask)))) as made:
        assert made.getpixel((0, 0))[3] == 0
        assert made.getpixel((7, 5))[3] == 255


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(InputError, match=r"16x6.*8x6"):
        masked(png(), saved(half_white((16, 6))))


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError):
        masked(b"<html>", saved(half_white()))
    with pytest.raises(InputError):
        masked(picture("JPEG"), b"<html>")
