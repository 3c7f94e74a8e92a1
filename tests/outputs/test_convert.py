"""Pictures for somewhere else: the format asked for, no more bytes, no more pixels, no workflow."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.convert import LEAST_BYTES, Format, converted

WORKFLOW = json.dumps({"nodes": [], "secret": "prompt of somebody"})
PROMPT = json.dumps({"1": {"class_type": "X", "inputs": {"text": "prompt of somebody"}}})

FORMS: list[Format] = ["png", "jpeg", "webp"]


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int] = (400, 300)) -> Image.Image:
    return Image.effect_noise(size, 90).convert("RGB")


def with_workflow(image: Image.Image) -> bytes:
    chunks = PngInfo()
    chunks.add_text("workflow", WORKFLOW)
    chunks.add_text("prompt", PROMPT)
    return saved(image, pnginfo=chunks)


def seen(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("form", FORMS)
def test_it_becomes_what_was_asked_for_in_the_same_size(form: Format) -> None:
    made = converted(saved(noise()), form)

    assert seen(made.data).format == form.upper()
    assert seen(made.data).size == made.size == (400, 300)
    assert made.notes == ()


def test_a_png_loses_nothing() -> None:
    image = noise()

    made = converted(saved(image, "BMP"), "png")

    assert seen(made.data).tobytes() == image.tobytes()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("most", [2_000, 20_000, 60_000])
def test_it_never_has_more_bytes_than_allowed(form: Format, most: int) -> None:
    made = converted(saved(noise()), form, max_bytes=most)

    assert len(made.data) <= most
    assert seen(made.data).size == made.size
    assert made.size[0] * 3 == pytest.approx(made.size[1] * 4, abs=4)


def test_it_is_as_good_as_the_bytes_allow() -> None:
    data = saved(noise())

    poor, better, best = (
        converted(data, "webp", max_bytes=most) for most in (10_000, 40_000, 10_000_000)
    )

    assert len(poor.data) > 7_000
    assert len(poor.data) < len(better.data) < len(best.data)
    assert better.size >= poor.size
    assert best.size == (400, 300)


@pytest.mark.parametrize("form", FORMS)
def test_its_longest_side_is_no_longer_than_allowed(form: Format) -> None:
    assert converted(saved(noise()), form, max_pixels=100).size == (100, 75)
    assert converted(saved(noise()), form, max_pixels=4_000).size == (400, 300)


@pytest.mark.parametrize("form", FORMS)
def test_the_workflow_within_is_left_out(form: Format) -> None:
    made = converted(with_workflow(noise()), form)

    assert b"somebody" not in made.data
    assert not seen(made.data).info.get("exif")


@pytest.mark.parametrize("form", FORMS)
def test_the_workflow_within_is_kept_on_demand_and_found_again(form: Format) -> None:
    once = converted(with_workflow(noise()), form, keep_metadata=True)
    made = converted(once.data, "png", keep_metadata=True)

    assert seen(made.data).info["workflow"] == WORKFLOW
    assert seen(made.data).info["prompt"] == PROMPT


def test_a_workflow_that_a_jpeg_cannot_hold_is_left_out_and_told() -> None:
    chunks = PngInfo()
    chunks.add_text("workflow", json.dumps({"long": "x" * 100_000}))
    data = saved(noise(), pnginfo=chunks)

    made = converted(data, "jpeg", keep_metadata=True)

    assert "left out" in made.notes[0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_picture_is_converted(mode: str, form: Format) -> None:
    made = converted(saved(Image.new(mode, (40, 30), 1)), form, max_pixels=20)

    assert made.size == (20, 15)


@pytest.mark.parametrize(("form", "pixel"), [("png", (0, 0, 0, 0)), ("jpeg", (255, 255, 255))])
def test_what_is_see_through_stays_so_or_becomes_white(form: Format, pixel: Any) -> None:
    made = seen(converted(saved(Image.new("RGBA", (8, 8), (0, 0, 0, 0))), form).data)

    assert made.getpixel((4, 4)) == pixel


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    made = converted(saved(noise((40, 20)), "JPEG", exif=exif.tobytes()), "webp")

    assert made.size == (20, 40)


def animation(count: int = 3, size: tuple[int, int] = (16, 12)) -> bytes:
    frames = [Image.new("RGB", size, (80 * number % 256, 0, 0)) for number in range(count)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=200)


def test_of_an_animation_webp_keeps_all_frames() -> None:
    made = seen(converted(animation(), "webp", max_pixels=8).data)

    assert (made.n_frames, made.size) == (3, (8, 6))  # type: ignore[attr-defined]  # of animations


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_of_an_animation_other_formats_get_the_first_frame_and_it_is_told(form: Format) -> None:
    made = converted(animation(), form)

    assert made.notes == ("the first of 3 frames: only WebP keeps them all",)


def test_an_animation_without_end_is_not_converted() -> None:
    with pytest.raises(OutputError, match="too large to convert"):
        converted(animation(count=600, size=(4, 4)), "webp")


@pytest.mark.parametrize(
    "data", [b"", b"<html></html>", b"\x89PNG\r\n\x1a\n", saved(noise())[:900]]
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(OutputError):
        converted(data, "webp")


def test_what_cannot_be_made_so_small_is_refused_with_what_it_would_take() -> None:
    chunks = PngInfo()
    chunks.add_text("workflow", json.dumps({"long": "x" * 5_000}))

    with pytest.raises(OutputError, match="leave the metadata out"):
        converted(saved(noise(), pnginfo=chunks), "png", max_bytes=2_000, keep_metadata=True)


def test_no_bytes_at_all_are_not_tried() -> None:
    with pytest.raises(OutputError, match=str(LEAST_BYTES)):
        converted(saved(noise()), "webp", max_bytes=10)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(LEAST_BYTES, 20_000),
    st.sampled_from(FORMS),
)
def test_whatever_its_shape_it_fits(width: int, height: int, most: int, form: Format) -> None:
    try:
        made = converted(saved(noise((width, height))), form, max_bytes=most)
    except OutputError:
        return
    assert len(made.data) <= most
    assert seen(made.data).size == made.size
