"""The list of a web project's pictures: a JSON file that says what was exported where. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from posixpath import relpath, splitext
from typing import Any, cast

from comfy_mcp.errors import OutputError

__all__ = ["MOST_BYTES", "listed"]

MOST_BYTES = 1 << 20
MOST_ENTRIES = 5_000

MAKER = "comfy-mcp-guard"
VERSION = 1

_KEYS = {"generator", "version", "assets"}


def listed(old: bytes | None, manifest: str, file: str, entry: Mapping[str, Any]) -> bytes:
    """The list with *entry* for *file* in it, in place of an earlier one; *old* None: a new list.

    *manifest* and *file* are paths below one root. An entry goes by its file's path without the
    ending, seen from the list's folder, so that another format takes the place of the first.

    Raises:
        OutputError: *old* is no such list, or is full.
    """
    assets = {} if old is None else _assets(old, manifest)
    there = relpath(file, manifest.rpartition("/")[0] or ".")
    assets[splitext(there)[0]] = {"file": there, **entry}
    if len(assets) > MOST_ENTRIES:
        raise OutputError(f"{manifest} has {MOST_ENTRIES} entries, the most that it may have.")
    whole = {"generator": MAKER, "version": VERSION, "assets": dict(sorted(assets.items()))}
    text = json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
    data = text.encode()
    if len(data) > MOST_BYTES:
        raise OutputError(f"{manifest} would have more than {MOST_BYTES} bytes: use another one.")
    return data


def _assets(old: bytes, manifest: str) -> dict[str, Any]:
    try:
        told: object = json.loads(old)
    except (ValueError, RecursionError):
        told = None
    known = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    assets = known.get("assets")
    ours = (known.get("generator"), known.get("version")) == (MAKER, VERSION)
    if not ours or set(known) != _KEYS or not isinstance(assets, dict):
        raise OutputError(
            f"{manifest} is there and is no list that export_output made: it is left as it is, and"
            " nothing was written. Name another manifest."
        )
    entries = cast("dict[str, Any]", assets)
    if not all(isinstance(each, dict) for each in entries.values()):
        raise OutputError(
            f"{manifest} has an entry that is no object: put it right, or name another."
        )
    return entries
