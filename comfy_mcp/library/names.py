"""What a workflow may be called, and whose it is by its name.

A plain name (``poster``) is the operator's, or of this package: only these are trusted by what a
policy says of names. ``saved/poster`` was saved by an agent, ``host/portraits/poster`` is kept by
ComfyUI for its user, ``template/poster`` and ``template/PACK/poster`` come with ComfyUI or with one
of its custom node packs. Each workflow has exactly one name.
"""

from __future__ import annotations

import re
from enum import StrEnum

__all__ = ["MOST_NAME", "Source", "is_plain", "is_safe_path", "may_be_saved", "source_of"]

MOST_NAME = 300
"""Characters of a whole name."""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""Names that Windows gives to devices, whatever follows a dot."""

_SEGMENT = re.compile(r'[^\x00-\x1f\x7f/\\:*?"<>|]{1,150}')


class Source(StrEnum):
    """Where a workflow comes from."""

    LIBRARY = "library"
    SAVED = "saved"
    HOST = "host"
    TEMPLATE = "template"


def is_plain(name: str) -> bool:
    """Whether *name* can be that of a file of a folder on this machine, without its ending."""
    return _PLAIN.fullmatch(name) is not None


def may_be_saved(name: str) -> bool:
    """Whether an agent may save under *name*: it is plain, and no device on any machine."""
    return is_plain(name) and not _DEVICES.fullmatch(name)


def is_safe_path(path: str) -> bool:
    """Whether *path* is relative, stays where it is, and is written in the only way it can be."""
    return len(path) <= MOST_NAME and all(map(_is_safe, path.split("/")))


def source_of(name: str) -> tuple[Source, str] | None:
    """Whose *name* is, and the name there; None if no workflow can be called so."""
    before, slash, rest = name.partition("/")
    if not slash:
        return (Source.LIBRARY, name) if is_plain(name) else None
    if before == Source.SAVED:
        return (Source.SAVED, rest) if is_plain(rest) else None
    if before not in {Source.HOST, Source.TEMPLATE} or not is_safe_path(rest):
        return None
    if before == Source.TEMPLATE and rest.count("/") > 1:
        return None
    return Source(before), rest


def _is_safe(segment: str) -> bool:
    if not _SEGMENT.fullmatch(segment) or not segment.isprintable():
        return False
    return segment[0] not in ". " and segment[-1] not in ". "
