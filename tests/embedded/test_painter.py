"""The painter reads a scene from words, paints it in every size, and puts its caption on it."""

from __future__ import annotations

import pytest
from PIL import Image, ImageChops, ImageStat

from comfy_mcp.embedded.painter import Model, Theme, captioned, paint, read_theme
from comfy_mcp.embedded.painter.theme import LIGHTS, PLACES, THINGS

PLAIN = Model("demo")


def theme(words: str, negative: str = "", model: Model = PLAIN) -> Theme:
    """The theme of a prompt."""
    return read_theme(words, negative, "1/0", model)


@pytest.mark.parametrize(
    ("words", "light", "place"),
    [
        ("A boat on the sea at sunset", "sunset", "sea"),
        ("misty pine forest in the morning", "dawn", "forest"),
        ("snowy mountains", "winter", "mountains"),
        ("neon city at night", "night", "city"),
        ("a cat in a sunny garden", "day", "meadow"),
        ("a stormy coast", "storm", "sea"),
        ("sahara, autumn", "autumn", "desert"),
        ("a galaxy over dunes", "space", "desert"),
    ],
)
def test_words_choose_light_and_place(words: str, light: str, place: str) -> None:
    found = theme(words)

    assert (found.light, found.place) == (light, place)


def test_the_negative_prompt_keeps_things_out() -> None:
    assert "birds" in theme("sunset").things
    assert "birds" not in theme("sunset", "birds, people").things
    assert theme("city sea", "sea").place == "city"


def test_colours_tint_and_words_unknown_choose_by_themselves() -> None:
    assert theme("a purple sea").tint is not None
    assert theme("xyzzy") == theme("xyzzy")
    assert theme("").place in PLACES
    assert theme("xyzzy", model=Model("demo", dusk=0.5)).light == "night"


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("place", PLACES)
def test_every_scene_can_be_painted_and_is_not_dull(light: str, place: str) -> None:
    scene = Theme(light, place, frozenset(THINGS), (130, 80, 180), "3/0")

    picture = paint(scene, PLAIN, 1.0, 96, 64)

    assert picture.size == (96, 64)
    assert max(ImageStat.Stat(picture.convert("L")).stddev) > 8


@pytest.mark.parametrize("words", ["a stormy sea", "a galaxy over mountains", "city at night"])
def test_even_a_stamp_can_be_painted(words: str) -> None:
    assert paint(theme(words), PLAIN, 1.0, 8, 8).size == (8, 8)


def test_a_scene_looks_the_same_in_every_size() -> None:
    scene = theme("mountains at sunset")
    small, large = paint(scene, PLAIN, 1.0, 128, 128), paint(scene, PLAIN, 1.0, 704, 704)

    apart = ImageChops.difference(small, large.resize((128, 128)))

    assert max(ImageStat.Stat(apart).mean) < 12


@pytest.mark.parametrize("size", [(16, 16), (64, 64), (512, 512), (1024, 64)])
def test_the_caption_is_seen_in_the_lower_right_corner(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (90, 120, 90))

    changed = ImageChops.difference(captioned(picture), picture).getbbox()

    assert changed is not None
    assert changed[2] >= size[0] * 0.8
    assert changed[3] >= size[1] * 0.8
