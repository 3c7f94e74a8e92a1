"""Names of node classes, model files and outputs: compared, and looked at for tricks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from comfy_mcp.guard.patterns import any_glob
from comfy_mcp.guard.policy import Globs

__all__ = ["denies_class", "denies_model", "odd_model", "odd_prefix", "safe_segment"]

_MANY = 4096
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DRIVE = re.compile(r"[A-Za-z]:")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


@lru_cache(maxsize=_MANY)
def odd_model(name: str) -> str | None:
    r"""Why *name* may not be what it seems; None for a plain name below a model folder.

    Windows has ``\`` between folders, so that alone is not odd.
    """
    parts = name.replace("\\", "/").split("/")
    if any(part in {"", "."} for part in parts[1:]) or parts[0] == ".":
        return "has a folder without a name"
    if any(part != part.strip() or part.endswith(".") for part in parts if part != ".."):
        return "has blanks or dots around the name of a file or folder"
    return _odd(name, parts, _HIDDEN | {"Cf"}) or (None if name else "is empty")


@lru_cache(maxsize=_MANY)
def odd_prefix(prefix: str) -> str | None:
    """Why *prefix* may lead out of the output folder; None for a plain one."""
    if "\\" in prefix:
        return "has a backslash"
    return _odd(prefix, prefix.split("/"), _HIDDEN)


def denies_class(globs: Globs) -> Callable[[str], bool]:
    """Whether *globs* fit a class, however its letters are written."""
    folded = any_glob(_folded(one) for one in globs.patterns)
    return lambda name: globs.matches(name) or folded(_folded(name))


def denies_model(globs: Globs) -> Callable[[str], bool]:
    """Whether *globs* fit a model, or its name alone, however folders and letters are written."""
    folded = any_glob(_slashed(one) for one in globs.patterns)

    @lru_cache(maxsize=_MANY)
    def fits(name: str) -> bool:
        plain = _slashed(name)
        return globs.matches(name) or folded(plain) or folded(plain.rpartition("/")[2])

    return fits


def safe_segment(text: str) -> str:
    """*text* as one part of a path, which leads nowhere."""
    plain = _UNSAFE.sub("_", text)
    return plain.replace(".", "_") if ".." in plain or plain.strip(".") != plain else plain


def _odd(name: str, parts: list[str], hidden: frozenset[str]) -> str | None:
    if not name.isprintable() and any(unicodedata.category(char) in hidden for char in name):
        return "has characters that cannot be seen"
    if name.startswith(("/", "\\")):
        return "is an absolute path"
    # Windows drops dots and blanks at the end, so ".. ." is another "..".
    if any(".." in part and not part.strip(" .") for part in parts):
        return 'has ".." for a folder'
    return "names a drive" if any(_DRIVE.match(part) for part in parts) else None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _slashed(text: str) -> str:
    return _folded(text.replace("\\", "/"))
