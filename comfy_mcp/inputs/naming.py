"""What a file is called in ComfyUI's input folder: safe, its giver's own, and nobody else's."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from comfy_mcp.errors import InputError

__all__ = ["input_name", "stem_of", "subfolder_of"]

MOST_STEM = 48
MOST_NAME = 200

_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_ODD = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def subfolder_of(grant: str) -> str:
    """The folder of one caller: two callers can never meet in a name."""
    return f"guard-{hashlib.sha256(grant.encode()).hexdigest()[:12]}"


def stem_of(name: str) -> str:
    """The plain part of the name that somebody gave a file, without its ending.

    Raises:
        InputError: it is a path, or holds control characters.
    """
    if len(name) > MOST_NAME or any(unicodedata.category(one) in _ODD for one in name):
        raise InputError(
            f"name must be at most {MOST_NAME} printable characters, without control characters."
        )
    if any(one in name for one in "/\\:") or name.strip(" .") == "":
        raise InputError("name must be a plain file name: no folders, no path.")
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem, dot, ending = bare.rpartition(".")
    whole = stem if dot and stem and len(ending) <= 5 else bare  # noqa: PLR2004 - .jpeg, .webp
    return _PLAIN.sub("-", whole).strip("-._")[:MOST_STEM].strip("-._") or "upload"


def input_name(stem: str, sha256: str, ending: str) -> str:
    """``stem-1a2b3c4d.png``: the same bytes always have the same name, others another."""
    return f"{stem}-{sha256[:8]}.{ending}"
