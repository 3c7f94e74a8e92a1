"""A picture is shown small whatever it is; what cannot be shown is an error, never a crash."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs import thumbnail
from comfy_mcp.outputs.thumbnails import shrunk
from tests.outputs.files import noise, opened, png_of_size, saved


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize(("side", "most"), [(64, 70_000), (512, 70_000), (1536, 480_000)])
def test_even_a_big_noisy_picture_is_shown_in_few_bytes(kind: str, side: int, most: int) -> None:
    data, size = thumbnail(saved(noise(1600, 1200), kind, **_fast(kind)), side)

    small = opened(data)
    assert len(data) < most
    assert small.format == "JPEG"
    assert max(small.size) <= side
    assert size == (1600, 1200)


def _fast(kind: str) -> dict[str, int]:
    return {"compress_level": 0} if kind == "PNG" else {"quality": 80, "method": 0}


def test_a_small_picture_is_not_blown_up() -> None:
    data, size = thumbnail(saved(Image.new("RGB", (40, 20), "red"), "PNG"), 512)

    assert opened(data).size == size == (40, 20)


def test_a_very_long_picture_keeps_a_pixel_of_its_short_side() -> None:
    data, size = thumbnail(saved(Image.new("RGB", (4000, 1)), "PNG"), 64)

    assert opened(data).size == (64, 1)
    assert size == (4000, 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    picture = clear.quantize() if mode == "P" else clear.convert(mode)

    data, _ = thumbnail(saved(picture, "PNG"), 32)

    assert min(_pixel(data)) > 250


def _pixel(data: bytes) -> tuple[int, ...]:
    value = opened(data).getpixel((5, 5))
    assert isinstance(value, tuple)
    return tuple(int(part) for part in value)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "I;16", "RGB"])
def test_pictures_of_every_mode_are_shown(mode: str) -> None:
    picture = Image.new(mode, (32, 32))
    data = saved(picture, "TIFF" if mode == "CMYK" else "PNG")

    assert opened(thumbnail(data, 16)[0]).mode == "RGB"


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_of_an_animation_the_first_frame_is_shown(kind: str) -> None:
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "lime", "blue")]
    animation = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)

    red, green, blue = _pixel(thumbnail(animation, 64)[0])

    assert red > 200
    assert max(green, blue) < 60


def test_a_picture_of_sixteen_bits_is_as_bright_as_it_was() -> None:
    data, _ = thumbnail(saved(Image.new("I;16", (32, 32), 40_000), "PNG"), 32)

    assert all(abs(part - 40_000 // 257) < 4 for part in _pixel(data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_a_picture_made_small_in_bands_is_what_it_would_be_in_one_go(mode: str) -> None:
    whole = Image.linear_gradient("L").resize((4001, 2999)).convert(mode)

    banded = shrunk(whole, 500)

    assert banded.tobytes() == whole.reduce(8).tobytes()


def test_a_picture_that_is_too_large_to_decode_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(OutputError, match="open its url"):
        thumbnail(png_of_size(30_000, 30_000), 64)


def test_a_picture_just_above_the_limit_is_refused_with_its_size() -> None:
    with pytest.raises(OutputError, match="10001x10000"):
        thumbnail(png_of_size(10_001, 10_000), 64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00\x00\x00\x20ftypisom" + bytes(64),
        png_of_size(0, 0),
        saved(Image.new("RGB", (64, 64)), "PNG")[:60],
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(OutputError):
        thumbnail(data, 64)


SEEDS = [
    saved(noise(24, 24), kind)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "AVIF")
    if Image.init() is not None and kind in Image.SAVE
]


@settings(max_examples=150)
@given(st.sampled_from(SEEDS), st.data())
def test_a_damaged_picture_is_shown_or_refused_and_nothing_else(
    whole: bytes, data: st.DataObject
) -> None:
    broken = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))

    try:
        small, _ = thumbnail(bytes(broken), 16)
    except OutputError:
        return
    assert len(small) < 100_000
