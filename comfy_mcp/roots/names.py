"""Which names a path may be made of: pure, and alike on every machine.

What one system takes for a plain name is a device, a stream or a way out on another, and folders
travel: so the names that are odd anywhere are refused everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import PurePath

from comfy_mcp.errors import RootError

__all__ = ["MOST_NAME", "fault_of", "shown", "split"]

MOST_CHARS = 4_096
"""Of a whole path; Linux's PATH_MAX."""

MOST_NAME = 200
"""Bytes of one name: file systems take 255, and a temporary name is longer than the last one."""

MOST_PARTS = 32
"""Names in one path."""

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)

_ENCODED = re.compile(r"%(?:25)*(?:[01][0-9a-f]|2e|2f|3a|5c|7f|c0|c1)", re.IGNORECASE)
"""A dot, slash, colon, backslash or control character as URLs spell it, however often encoded."""

_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ODD = frozenset({"Cc", "Cs", "Zl", "Zp"})
_RESERVED = '/\\<>:"|?*'


def split(text: str, roots: Sequence[PurePath]) -> tuple[int, tuple[str, ...]]:
    """Which of *roots* a path is in, and its names below that root.

    A relative path is below the first root. *roots* are absolute and of the flavour of this
    system; the deepest that fits is taken. ``.`` and doubled slashes say nothing and are dropped.

    Raises:
        RootError: it is in none of them, or has a name that `fault_of` refuses.
    """
    if not text.strip() or len(text) > MOST_CHARS:
        raise RootError(
            "The path is empty or too long: give a file's path within an opened folder."
        )
    if text.startswith("~") or "://" in text:
        raise RootError(f"{shown(text)} is no plain path: write it without ~ and without a scheme.")
    flavour = type(roots[0])
    path = flavour(text)
    rooted = bool(path.root or path.drive)
    found = _below(path, roots) if rooted else (0, path.parts)
    if found is None:
        raise RootError(
            f"{shown(text)} is in none of the folders that the operator opened. Give a path"
            " relative to the first of them, or an absolute one within one of them."
        )
    number, parts = found
    if len(parts) > MOST_PARTS:
        raise RootError(f"The path has more than {MOST_PARTS} parts: use a shorter one.")
    for part in parts:
        fault = fault_of(part)
        if fault:
            raise RootError(f"{shown(text)} cannot be used: {fault}.")
    return number, parts


def fault_of(name: str) -> str:
    """A clause that says why no file or folder may go by *name*; empty if one may."""
    return next((words.format(shown(name)) for fits, words in _FAULTS if fits(name)), "")


_FAULTS: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda name: name in {"", ".", ".."}, "{} is no name: no path may lead upwards"),
    (
        lambda name: any(unicodedata.category(one) in _ODD or one in _BIDI for one in name),
        "it holds a control character",
    ),
    (lambda name: len(name.encode()) > MOST_NAME, f"a name is longer than {MOST_NAME} bytes"),
    (
        lambda name: any(one in _RESERVED for one in name),
        f"none of {' '.join(_RESERVED)} may stand in a name",
    ),
    (
        lambda name: name[-1] in ". " or name[0] == " ",
        "{} begins or ends with a space, or ends with a dot",
    ),
    (_ENCODED.search, "{} is spelt as in a URL: write it plainly"),
    (
        lambda name: name.split(".", 1)[0].rstrip().lower() in _DEVICES,
        "{} is the name of a device on Windows",
    ),
)
"""In this order: lone surrogates go before what can be encoded is asked for."""


def shown(text: str) -> str:
    """*text* in quotation marks, short and without characters that show as others."""
    cut = text if len(text) <= 80 else text[:80] + "..."  # noqa: PLR2004 - one line of words
    return ascii(cut)


def _below(path: PurePath, roots: Sequence[PurePath]) -> tuple[int, tuple[str, ...]] | None:
    fits = [
        (len(root.parts), number, path.parts[len(root.parts) :])
        for number, root in enumerate(roots)
        if path.is_relative_to(root)
    ]
    if not fits:
        return None
    _, number, parts = max(fits)
    return number, parts
