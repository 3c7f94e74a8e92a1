"""What an agent may write as a path: names that are plain everywhere, none that leads out."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import RootError
from comfy_mcp.roots.names import fault_of, split

LINUX = [PurePosixPath("/srv/pictures")]
WINDOWS = [PureWindowsPath("C:\\Users\\ann\\pictures")]

LEADING_OUT = [
    "..",
    "../secret.png",
    "a/../../secret.png",
    "a/..",
    "/etc/passwd",
    "/srv/pictures/../secret.png",
    "/srv/pictures-of-others/a.png",
    "/srv",
    "/",
    "//srv/pictures/a.png",
    "~/a.png",
    "~root/a.png",
    "file:///srv/pictures/a.png",
    "FILE:///etc/passwd",
    "http://127.0.0.1/a.png",
]

ODD = [
    "",
    " ",
    "\0",
    "a\0.png",
    "a.png\0.txt",
    "a\nb.png",
    "a\x1b[2J.png",
    "a\x7f.png",
    "\u202egnp.exe",
    "a\u2066b.png",
    "a\u2028b.png",
    "a\ud800.png",
    "C:\\Windows\\win.ini",
    "C:a.png",
    "c:/a.png",
    "\\\\server\\share\\a.png",
    "\\\\?\\C:\\a.png",
    "..\\..\\a.png",
    "a\\b.png",
    "a.png:stream",
    "a.png::$DATA",
    "CON",
    "con.png",
    "Aux.tar.gz",
    "LPT1",
    "com¹.png",
    "NUL .png",
    "a.png.",
    "a.png ",
    "a./b.png",
    " a.png",
    "%2e%2e/a.png",
    "%2E%2E%2Fa.png",
    "..%2fa.png",
    "%252e%252e/a.png",
    "%c0%ae%c0%ae/a.png",
    "a%00.png",
    "a%5cb.png",
    "a?.png",
    "a*.png",
    'a"b.png',
    "a|b.png",
    "<a>.png",
    "x" * 201,
    "ü" * 101,
    "x" * 5_000,
    "/".join("a" * 40),
]


@pytest.mark.parametrize("text", LEADING_OUT)
def test_a_path_that_leads_out_is_refused(text: str) -> None:
    with pytest.raises(RootError):
        split(text, LINUX)


@pytest.mark.parametrize("text", ODD)
def test_a_name_that_is_odd_on_any_system_is_refused(text: str) -> None:
    with pytest.raises(RootError):
        split(text, LINUX)


@pytest.mark.parametrize("text", [*LEADING_OUT, *ODD])
def test_a_refusal_is_short_and_shows_no_control_character(text: str) -> None:
    with pytest.raises(RootError) as refused:
        split(text, LINUX)

    words = str(refused.value)
    assert len(words) < 400
    assert words.isprintable()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.png", ("a.png",)),
        ("./a.png", ("a.png",)),
        ("a//b/./c.png", ("a", "b", "c.png")),
        ("img/", ("img",)),
        ("/srv/pictures/a/b.png", ("a", "b.png")),
        ("/srv/pictures", ()),
        (".", ()),
        ("Grüße 100%.png", ("Grüße 100%.png",)),
        ("50%25.png", ("50%25.png",)),
        ("a..b.png", ("a..b.png",)),
        ("...a", ("...a",)),
        ("console.png", ("console.png",)),
        ("絵.png", ("絵.png",)),
    ],
)
def test_a_plain_path_is_taken_by_its_names(text: str, parts: tuple[str, ...]) -> None:
    assert split(text, LINUX) == (0, parts)


def test_of_roots_within_each_other_the_deepest_counts() -> None:
    roots = [PurePosixPath("/srv"), PurePosixPath("/srv/pictures")]

    assert split("/srv/pictures/a.png", roots) == (1, ("a.png",))
    assert split("a.png", roots) == (0, ("a.png",))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("C:\\Users\\ann\\pictures\\a.png", ("a.png",)),
        ("c:/users/Ann/Pictures/b/a.png", ("b", "a.png")),
        ("b\\a.png", ("b", "a.png")),
    ],
)
def test_on_windows_paths_are_written_as_there(text: str, parts: tuple[str, ...]) -> None:
    assert split(text, WINDOWS) == (0, parts)


@pytest.mark.parametrize(
    "text",
    [
        "D:\\a.png",
        "C:a.png",
        "\\Users\\ann\\pictures\\a.png",
        "\\\\server\\share\\a.png",
        "\\\\?\\C:\\Users\\ann\\pictures\\a.png",
        "\\\\.\\pipe\\a",
        "..\\a.png",
        "C:\\Users\\ann\\pictures\\..\\a.png",
        "a.png:stream",
        "sub\\NUL",
    ],
)
def test_on_windows_nothing_leads_out_either(text: str) -> None:
    with pytest.raises(RootError):
        split(text, WINDOWS)


@given(st.text(max_size=60))
def test_whatever_is_taken_stays_below_its_root(text: str) -> None:
    try:
        number, parts = split(text, LINUX)
    except RootError:
        return
    joined = LINUX[number].joinpath(*parts)
    assert joined.is_relative_to(LINUX[number])
    assert ".." not in joined.parts
    assert not any(fault_of(part) for part in parts)
