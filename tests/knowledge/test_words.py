"""Names as words, typing errors, and names that are near."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.knowledge.words import corrected, near, parts, squashed, stem, words


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("CLIPTextEncode", ["CLIP", "Text", "Encode"]),
        ("KSampler", ["K", "Sampler"]),
        ("img2img", ["img", "2", "img"]),
        ("VAEDecode", ["VAE", "Decode"]),
        ("SDXL", ["SDXL"]),
        ("图像", ["图像"]),
    ],
)
def test_a_name_is_taken_apart_at_capitals_and_digits(name: str, wanted: list[str]) -> None:
    assert parts(name) == wanted


@pytest.mark.parametrize(
    "alike",
    [
        ("sampler", "sampling", "samples", "sample"),
        ("image", "images"),
        ("loader", "load", "loading"),
        ("upscale", "upscaled"),
    ],
)
def test_forms_of_one_word_are_one(alike: tuple[str, ...]) -> None:
    assert len({stem(word) for word in alike}) == 1


@pytest.mark.parametrize("word", ["mask", "vae", "class", "red"])
def test_short_words_stay_what_they_are(word: str) -> None:
    assert stem(word) == word


def test_neighbours_in_a_name_are_found_as_one_word() -> None:
    found = set(words("ControlNetApply"))

    assert {stem(word) for word in ("ControlNet", "Apply", "control", "ControlNetApply")} <= found


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gausian", "gaussian"),
        ("guassian", "gaussian"),
        ("chekpiont", "checkpoint"),
        ("msak", "mask"),
    ],
)
def test_a_typing_error_is_seen_through(typed: str, meant: str) -> None:
    assert meant in corrected(typed, ["gaussian", "checkpoint", "mask", "image"])


def test_only_the_nearest_words_are_meant() -> None:
    assert corrected("latnt", ["latent", "later", "lantern"]) == {"latent": 1}


@pytest.mark.parametrize("typed", ["vea", "xx", "zzzzzzzz", ""])
def test_what_is_too_short_or_too_far_is_no_typing_error(typed: str) -> None:
    assert corrected(typed, ["vae", "image", "checkpoint"]) == {}


@given(st.text(max_size=12), st.lists(st.text(min_size=1, max_size=12), max_size=5))
def test_corrections_come_from_what_is_known(typed: str, known: list[str]) -> None:
    found = corrected(typed, known)

    assert set(found) <= set(known)
    assert len(set(found.values())) <= 1


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("LoadImag", "LoadImage"),
        ("load image", "LoadImage"),
        ("IMG", "IMAGE"),
    ],
)
def test_near_names_are_found_whatever_their_spelling(name: str, wanted: str) -> None:
    names = ["KSampler", "LoadImage", "SaveImage", "IMAGE", "VAEDecode"]

    assert wanted in near(name, names)


def test_nothing_is_near_to_nonsense() -> None:
    assert near("qqqqqq", ["KSampler", "LoadImage"]) == []
    assert near("", ["KSampler"]) == []


@given(st.text(), st.lists(st.text()))
def test_near_names_are_few_and_always_the_same(name: str, names: list[str]) -> None:
    assert near(name, names) == near(name, list(reversed(names)))
    assert len(near(name, names)) <= 3


@given(st.text())
def test_squashing_twice_changes_nothing_more(text: str) -> None:
    assert squashed(squashed(text)).casefold() == squashed(text).casefold()
