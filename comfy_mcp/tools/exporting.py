"""An output into a file of an opened folder: what it becomes, what it is called. On a thread."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from comfy_mcp.errors import InputError, OutputError, RootError
from comfy_mcp.inputs import identified, stem_of, stranger
from comfy_mcp.outputs.assets import MOST_BYTES as MOST_LIST
from comfy_mcp.outputs.assets import listed
from comfy_mcp.outputs.convert import FORMATS, Format, converted, must_be_small_enough
from comfy_mcp.outputs.opening import header
from comfy_mcp.outputs.stripping import stripped
from comfy_mcp.roots import (
    Ledger,
    Place,
    Put,
    Roots,
    Written,
    is_folder,
    must_be_shown,
    put,
    reading,
    shown,
)

__all__ = ["Done", "Order", "Raw", "exported", "must_be_possible"]

_AS_THEY_ARE = frozenset(
    {"glb", "gltf", "obj", "stl", "ply", "fbx", "usdz", "splat", "latent", "exr", "hdr"}
)
"""Endings of files that hold data and nothing that runs, and that cannot be looked into here."""

_TEXTS = frozenset({"txt", "csv", "srt", "vtt"})
"""Endings that a text may keep; any other text becomes a ``.txt``."""

_SAME = {"jpeg": "jpg", "tif": "tiff", "apng": "png", "m4v": "mp4", "oga": "ogg"}
_RUNS = ("HTML", "SVG", "XML", "markup", "script", "program", "archive")
_NAMES: dict[str, Format] = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
"""Formats that can be written, by their names in capitals."""


@dataclass(frozen=True, slots=True)
class Raw:
    """An output as it came: its *data*, the *filename* it has in ComfyUI, whether it is a text."""

    data: bytes
    filename: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: where *to*, as what, how large; *entry* goes into the list *manifest*."""

    to: Place
    form: Format | None
    max_bytes: int | None
    max_pixels: int | None
    overwrite: bool
    keep_metadata: bool
    manifest: Place | None
    entry: dict[str, Any]
    grant: str


@dataclass(frozen=True, slots=True)
class Done:
    """The file that is there now."""

    written: Written
    format: str
    size: tuple[int, int] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    """Bytes to be written: *ending* is theirs, *form* what they are in words."""

    data: bytes
    ending: str
    form: str
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def must_be_possible(roots: Roots, to: str, manifest: str | None) -> tuple[Place, Place | None]:
    """Where the file and the list are to go, by their names alone.

    Raises:
        RootError: one of them leads out, is hidden, or is no place for such a file.
    """
    place = roots.place(to or ".")
    if place.parts:
        must_be_shown(place)
    if manifest is None:
        return place, None
    beside = roots.place(manifest)
    must_be_shown(beside)
    if beside.folder or not beside.path.lower().endswith(".json"):
        raise RootError("manifest must be the path of a .json file.")
    if beside.root != place.root:
        raise RootError("manifest must be in the same opened folder as the file.")
    return place, beside


def exported(raw: Raw, order: Order, ledger: Ledger) -> Done:
    """Write the file, and its entry in the list; nothing of both if one of them fails.

    Raises:
        OutputError: it cannot be had in this form or size.
        RootError: it cannot be written there.
        StateError: what was exported cannot be noted.
    """
    to = order.to
    folder = to.folder or is_folder(to)
    wanted = "" if folder else to.parts[-1].rpartition(".")[2].lower()
    made = _made(raw, order, wanted if "." in to.path.rpartition("/")[2] else "")
    name = _name(raw, made, "" if folder else to.parts[-1])
    place = replace(to, parts=(*(to.parts if folder else to.parts[:-1]), name), folder=False)
    root = place.root

    def replaces(digest: str, path: str) -> bool:
        return order.overwrite and ledger.wrote(root, path, digest, order.grant)

    how = Put(replaces, exactly=order.overwrite)
    with (
        ledger.held(),
        put(place, io.BytesIO(made.data), how) as written,
        _listing(order, written, made),
    ):
        notes = (*made.notes, *_noted(order, written, ledger))
    return Done(written, made.form, made.size, notes)


def _noted(order: Order, written: Written, ledger: Ledger) -> tuple[str, ...]:
    """Write down what was written; a note if the list of an earlier call has old numbers of it."""
    root, path, digest = written.place.root, written.place.path, written.sha256
    named = order.manifest.path if order.manifest else None
    if written.existed:
        # What was there may be a person's: it becomes nobody's by being the same.
        if named is not None and ledger.wrote(root, path, digest, order.grant):
            ledger.note(root, path, digest, order.grant, named)
        return ()
    before = ledger.manifest(root, path)
    ledger.note(root, path, digest, order.grant, named or before)
    if before in {None, named} or not _is_there(order.to, before or ""):
        return ()
    return (f"{before} has the numbers of the earlier file: name it as manifest, they are noted.",)


def _is_there(to: Place, path: str) -> bool:
    try:
        return _read(replace(to, parts=tuple(path.split("/")), folder=False)) is not None
    except RootError:
        return False


@contextmanager
def _listing(order: Order, written: Written, made: _Made) -> Generator[None]:
    """The entry in the list; in place when the body is done."""
    if order.manifest is None:
        yield
        return
    old = _read(order.manifest)
    size = made.size or (None, None)
    entry = {"width": size[0], "height": size[1], "bytes": written.bytes, **order.entry}
    entry = {key: value for key, value in entry.items() if value is not None}
    new = listed(old, order.manifest.path, written.place.path, entry)
    if new == old:
        yield
        return
    # Only what was read goes: a list that somebody changed meanwhile stays.
    read = None if old is None else hashlib.sha256(old).hexdigest()
    with put(order.manifest, io.BytesIO(new), Put(lambda found, _: found == read, exactly=True)):
        yield


def _read(place: Place) -> bytes | None:
    try:
        with reading(place, most=MOST_LIST) as found:
            return found.file.read(MOST_LIST + 1)
    except RootError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _made(raw: Raw, order: Order, ending: str) -> _Made:
    """The bytes as they are to be written; *ending*: what the wanted name ends with."""
    if raw.is_text:
        return _as_it_is(raw, order, "txt", "text")
    form = order.form or FORMATS.get(f".{ending}")
    _must_be_small_enough(raw, order, form)
    try:
        media = identified(io.BytesIO(raw.data), len(raw.data))
    except InputError as error:
        return _unknown(raw, order, error)
    if media.kind != "image":
        return _as_it_is(raw, order, media.ending, media.format)
    size = media.width or 0, media.height or 0
    data = raw.data if order.keep_metadata else stripped(raw.data)
    if _stays(data, order, form, media.format, size):
        return _Made(data, media.ending, media.format, size)
    result = converted(
        raw.data,
        form or "webp",
        max_bytes=order.max_bytes,
        max_pixels=order.max_pixels,
        keep_metadata=order.keep_metadata,
    )
    ending = "jpg" if result.format == "jpeg" else result.format
    return _Made(result.data, ending, result.format, result.size, result.notes)


def _stays(data: bytes, order: Order, form: Format | None, now: str, size: tuple[int, int]) -> bool:
    """Whether a picture, *now* of that format and *size*, is what is wanted as it is."""
    same = form in {None, _NAMES.get(now.upper())}
    fits = len(data) <= (order.max_bytes or len(data))
    return same and fits and max(size) <= (order.max_pixels or max(size))


def _must_be_small_enough(raw: Raw, order: Order, form: Format | None) -> None:
    """Before anything of it is decoded: that takes seconds and memory.

    Raises:
        OutputError: it would have to be converted, and is too large for that.
    """
    told = header(raw.data)
    if told is None:
        return
    now, size = told
    data = raw.data if order.keep_metadata else stripped(raw.data)
    if not _stays(data, order, form, now, size):
        must_be_small_enough(size, now)


def _as_it_is(raw: Raw, order: Order, ending: str, form: str) -> _Made:
    if order.form or order.max_pixels:
        raise OutputError(
            f"Only pictures are converted; this is {form}: leave format and size out."
        )
    if len(raw.data) > (order.max_bytes or len(raw.data)):
        raise OutputError(
            f"It has {len(raw.data)} bytes, and only pictures are made smaller: raise max_bytes."
        )
    return _Made(raw.data, ending, form)


def _unknown(raw: Raw, order: Order, error: InputError) -> _Made:
    """What cannot be looked into here goes by its name, unless it is something that runs."""
    ending = raw.filename.rpartition(".")[2].lower()
    kind = stranger(raw.data[:4_096])
    if ending in _AS_THEY_ARE and not any(word in kind for word in _RUNS):
        return _as_it_is(raw, order, ending, ending)
    if ending in {*_TEXTS, "md", "json", "log"} and kind in {"text", "JSON"}:
        return _as_it_is(raw, order, ending if ending in _TEXTS else "txt", "text")
    raise OutputError(f"{shown(raw.filename)} is not exported: {error}") from error


def _name(raw: Raw, made: _Made, wanted: str) -> str:
    """The name of the file; its ending always says what is in it.

    Raises:
        OutputError: the wanted name says something else.
    """
    if not wanted:
        return f"{_stem(raw.filename)}.{made.ending}"
    stem, dot, ending = wanted.rpartition(".")
    known = _SAME.get(ending.lower(), ending.lower())
    if dot and stem and known == made.ending:
        return wanted
    if dot and known in _KNOWN:
        raise OutputError(
            f"{shown(wanted)} says .{ending}, and the file is {made.form}: end the name with"
            f" .{made.ending}, or leave the ending out.{_choices(made)}"
        )
    return f"{wanted}.{made.ending}"


def _choices(made: _Made) -> str:
    """What else a picture can become."""
    return f" Pictures can become {', '.join(FORMATS)}." if made.size else ""


_KNOWN = frozenset(
    {"png", "jpg", "webp", "gif", "avif", "bmp", "tiff", "svg", "html", "htm", "js", "css", "json"}
    | {"mp4", "mov", "webm", "mkv", "wav", "flac", "mp3", "ogg", "opus", "m4a", "zip", "exe", "sh"}
    | {"py", "php", "xml", "md", "bat", "cmd", "ps1", "com", "dll", "so"}
    | _AS_THEY_ARE
    | _TEXTS
)


def _stem(filename: str) -> str:
    stem = filename.rpartition(".")[0] or filename or "output"
    try:
        # Any ending is taken away, but no more than one.
        return stem_of(f"{stem}.x").strip("_") or "output"
    except InputError:
        return "output"
