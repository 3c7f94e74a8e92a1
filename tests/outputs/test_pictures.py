"""Of what moves several frames are seen, with their times; no file takes more than its share."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.pictures import look_at_picture
from comfy_mcp.outputs.seen import Seen, Wanted, spread
from tests.outputs.files import apng, gif, png_of_size, saved

COLORS = ("red", "lime", "blue", "white", "black")

MOVING = ["GIF", "PNG", "WEBP", "AVIF"]


def animation(kind: str, colors: tuple[str, ...] = COLORS, size: int = 64) -> bytes:
    """One frame of each colour, a quarter of a second each."""
    frames = [Image.new("RGB", (size, size), color) for color in colors]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 250}
    return saved(frames[0], kind, **options)


def colors_of(seen: Seen) -> list[tuple[int, ...]]:
    """The middle of each frame, in steps of 255."""
    found = []
    for frame in seen.frames:
        pixel = frame.picture.getpixel((frame.picture.width // 2, frame.picture.height // 2))
        assert isinstance(pixel, tuple)
        found.append(tuple(round(part / 255) * 255 for part in pixel))
    return found


def test_a_still_picture_is_one_picture() -> None:
    seen = look_at_picture(saved(Image.new("RGB", (640, 320), "red"), "PNG"), Wanted(side=64))

    assert seen.facts == {"size": "640x320"}
    assert [frame.picture.size for frame in seen.frames] == [(64, 32)]


@pytest.mark.parametrize("kind", MOVING)
def test_frames_are_spread_over_the_whole_of_an_animation(kind: str) -> None:
    seen = look_at_picture(animation(kind), Wanted(frames=3))

    assert (seen.facts["frames"], seen.facts["seconds"]) == (5, 1.25)
    assert colors_of(seen) == [(255, 0, 0), (0, 0, 255), (0, 0, 0)]
    assert [frame.label for frame in seen.frames] == ["0.00 s", "0.50 s", "1.00 s"]


@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize(("at", "color"), [(0, 0), (0.3, 1), (0.74, 2), (99, 4)])
def test_one_frame_is_seen_at_its_time(kind: str, at: float, color: int) -> None:
    seen = look_at_picture(animation(kind), Wanted(at=at))

    assert colors_of(seen) == [
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)][color]
    ]
    assert seen.facts["at"] == color * 0.25


@pytest.mark.parametrize("kind", MOVING)
def test_no_more_frames_are_shown_than_there_are(kind: str) -> None:
    seen = look_at_picture(animation(kind), Wanted(frames=16))

    assert len(seen.frames) == len(COLORS)


def test_facts_come_without_pictures_if_none_are_wanted() -> None:
    seen = look_at_picture(animation("WEBP"), Wanted(pictures=False))

    assert seen.facts == {"size": "64x64", "frames": 5, "seconds": 1.25}
    assert seen.frames == ()


def test_of_a_hundred_thousand_frames_the_first_are_looked_at() -> None:
    seen = look_at_picture(gif(100_000), Wanted(frames=4))

    assert seen.facts["frames"] == 100_000
    assert "Only the first 2000 frames" in str(seen.facts["note"])
    assert len(seen.frames) == 4


def test_of_large_frames_fewer_are_looked_at() -> None:
    seen = look_at_picture(gif(200, 7000, 5000), Wanted(frames=2))

    assert "Only the first 11 frames" in str(seen.facts["note"])


@pytest.mark.parametrize(
    "data",
    [
        apng(100_000, 3),
        apng(2**31 - 1, 2),
        animation("WEBP")[:200],
        animation("GIF")[:100],
        animation("GIF", size=16)[:75] + b",",
    ],
)
def test_an_animation_that_ends_too_early_is_refused(data: bytes) -> None:
    with pytest.raises(OutputError):
        look_at_picture(data, Wanted(frames=4))


def webp_of_size(width: int, height: int) -> bytes:
    """The head of an animated WebP, whose decoder takes room for two canvases."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X\x0a\0\0\0\x02\0\0\0" + sides + b"ANIM\x06\0\0\0" + bytes(6)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    "data",
    [
        gif(2, 65_535, 65_535),
        webp_of_size(16_384, 16_384),
        webp_of_size(6_000, 6_000),
        png_of_size(2**31 - 1, 9),
    ],
)
def test_a_canvas_that_is_too_large_is_refused_by_its_size(data: bytes) -> None:
    with pytest.raises(OutputError, match=r"\d+x\d+, too large"):
        look_at_picture(data, Wanted())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html><html>", "begins like HTML"),
        (b"", "is empty"),
        (b'{"a": 1}', "begins like JSON"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "begins like a PNG"),
    ],
)
def test_what_is_no_picture_is_refused_and_told_what_it_is(data: bytes, said: str) -> None:
    with pytest.raises(OutputError, match=said):
        look_at_picture(data, Wanted())


@given(st.integers(1, 16), st.integers(1, 2000))
def test_frames_are_spread_from_the_first_to_the_last(count: int, of: int) -> None:
    numbers = spread(count, of)

    assert len(numbers) == min(count, of)
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    assert len(numbers) == 1 or numbers[-1] == of - 1


SEEDS = [animation(kind, size=16) for kind in MOVING]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_a_damaged_animation_is_shown_or_refused_and_nothing_else(
    whole: bytes, data: st.DataObject
) -> None:
    broken = bytearray(whole[: data.draw(st.integers(1, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))

    try:
        seen = look_at_picture(bytes(broken), Wanted(side=32))
    except OutputError:
        return
    assert len(seen.frames) <= 4
