"""Names in ComfyUI's input folder are plain, say what is in the file, and are one's own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import InputError
from comfy_mcp.inputs import input_name, stem_of, subfolder_of


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("hero.png", "hero"),
        ("Grün & schön.jpeg", "Grun-schon"),
        ("my.photo.webp", "my.photo"),
        ("no_ending", "no_ending"),
        ("a.verylongending", "a.verylongending"),
        ("絵", "upload"),
        ("[output]", "output"),
        ("a [temp]", "a-temp"),
        ("%2e%2e", "2e-2e"),
        ("x" * 150 + ".png", "x" * 48),
        ("-rf.png", "rf"),
    ],
)
def test_a_name_is_made_plain(name: str, stem: str) -> None:
    assert stem_of(name) == stem


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", " ", "../a.png", "a/b.png", "a\\b.png", "C:a.png", "x" * 201),
        *("a\0.png", "a\n.png", "a\x1b.png", "\u202egnp.exe", "a\ud800.png", "a\u200b.png"),
    ],
)
def test_a_path_or_a_control_character_is_no_name(name: str) -> None:
    with pytest.raises(InputError):
        stem_of(name)


@given(st.text(max_size=220), st.binary(min_size=32, max_size=32))
def test_whatever_it_was_called_its_name_is_safe_on_every_system(name: str, sum_: bytes) -> None:
    try:
        stem = stem_of(name)
    except InputError:
        return
    assert re.fullmatch(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,57}\.png", input_name(stem, sum_.hex(), "png")
    )


@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_two_callers_never_share_a_folder(one: str, other: str) -> None:
    assert (subfolder_of(one) == subfolder_of(other)) is (one == other)
