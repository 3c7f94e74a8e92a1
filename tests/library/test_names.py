"""Promise: a workflow has exactly one name, and no name leads anywhere but to a workflow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.library import Source, source_of
from comfy_mcp.library.names import MOST_NAME, is_plain, is_safe_path, may_be_saved

TRAVERSALS = [
    "..",
    "../secret",
    "a/../b",
    "a/..",
    "./a",
    "a/./b",
    "/etc/passwd",
    "//server/share",
    "\\\\server\\share",
    "..\\secret",
    "C:\\secret",
    "C:secret",
    "c:/secret",
    "a//b",
    "a/",
    "",
    " a",
    "a ",
    "a.",
    ".hidden",
    "a/.hidden",
    "a\x00b",
    "a\nb",
    "a\x1b[2J",
    "a\x7fb",
    "a\u202eb",
    "a\u200bb",
    "a*b",
    "a?b",
    'a"b',
    "a|b",
    "a<b",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_that_leads_elsewhere_is_a_name_of_any_source(path: str) -> None:
    assert not is_safe_path(path)
    assert source_of(f"host/{path}") is None
    assert source_of(f"template/{path}") is None
    assert source_of(f"saved/{path}") is None
    assert not is_plain(path)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Poster",
            "pöster",
            "p\u043ester",
            "poster.json",
            "%2e%2e",
            "po ster",
            "saved/",
            "/saved/x",
        ),
        *("Saved/poster", "SAVED/poster", "saved//poster", "saved/a/b", "saved/Poster"),
        *("host", "host/", "template/a/b/c", "library/poster", "x/y", "p" * 65, "_a", "-a"),
        *("saved\u2215poster", "saved%2fposter", "\uff50oster", "poster\n"),
    ],
)
def test_what_only_looks_like_a_name_is_none(name: str) -> None:
    found = source_of(name)

    assert found is None or found == (Source.LIBRARY, "host")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("poster", (Source.LIBRARY, "poster")),
        ("saved/poster", (Source.SAVED, "poster")),
        ("host/My Poster", (Source.HOST, "My Poster")),
        ("host/a/b/c (2)", (Source.HOST, "a/b/c (2)")),
        ("host/100%2e", (Source.HOST, "100%2e")),
        ("template/image_x.app", (Source.TEMPLATE, "image_x.app")),
        ("template/Some-Pack/first", (Source.TEMPLATE, "Some-Pack/first")),
    ],
)
def test_a_name_says_where_its_workflow_is(name: str, split: tuple[Source, str]) -> None:
    assert source_of(name) == split


@pytest.mark.parametrize("name", ["con", "nul", "aux", "prn", "com1", "lpt9", "com0"])
def test_no_file_is_made_that_is_a_device_elsewhere(name: str) -> None:
    assert is_plain(name)
    assert not may_be_saved(name)


def test_a_name_is_bounded() -> None:
    long = "/".join(["a" * 100] * 4)

    assert len(long) > MOST_NAME
    assert source_of(f"host/{long}") is None
    assert source_of("host/" + "a" * 151) is None


@given(st.text(max_size=80))
def test_whatever_is_said_a_path_that_is_taken_stays_below_its_folder(text: str) -> None:
    if is_safe_path(text):
        parts = text.split("/")
        assert ".." not in parts
        assert all(part and part.isprintable() for part in parts)
        assert not {"\\", ":", "\x00"} & set(text)
