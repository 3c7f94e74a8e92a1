"""The file that upload_input is to give away: read, looked at and named before anybody is asked."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import anyio

from comfy_mcp.errors import InputError
from comfy_mcp.guard.question import Effect
from comfy_mcp.inputs import (
    MOST_DATA,
    Content,
    Data,
    Former,
    Local,
    Media,
    Source,
    held,
    identified,
    input_name,
    masked,
    source_of,
    stem_of,
    subfolder_of,
)
from comfy_mcp.outputs import MAX_BYTES, parse_uri
from comfy_mcp.roots import Roots
from comfy_mcp.tools.app import App, Caller
from comfy_mcp.tools.viewing import find

__all__ = ["Gathered", "Wish", "gathered"]

MOST_FILE = 256 * 1024 * 1024
"""Bytes of a file of this machine, if ComfyUI takes as many."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}( \([0-9]{1,6}\))?(\.[a-z0-9]{1,5})?")
"""A name that ComfyUI gave a file of ours."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the call says: where the file is, what to call it, what it must be, whose mask it is."""

    source: str
    name: str | None
    kind: str | None
    mask_for: str | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """A file as it will be sent; *target* is the job that made it or its picture, if one did."""

    content: Content
    media: Media
    name: str
    target: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class _Read:
    """A file as it was read, and the name that it had."""

    name: str
    content: Content


@asynccontextmanager
async def gathered(app: App, caller: Caller, wish: Wish) -> AsyncGenerator[Gathered]:
    """The file of *wish*, frozen, for as long as the body runs; no effect on anything yet.

    Raises:
        InputError: it is nothing that may be sent, or not what it is said to be.
        RootError: its path leads out of the opened folders.
        OutputError: the former output cannot be had.
        Refused: it is somebody else's.
    """
    stem = None if wish.name is None else stem_of(wish.name)
    text = wish.source.whole if isinstance(wish.source, Source) else wish.source
    with ExitStack() as stack:
        # A few at a time: files and pictures take memory, and threads that the wire needs.
        async with app.pictures:
            source = await anyio.to_thread.run_sync(source_of, text)
            target, owner = await _whose(app, caller, source, wish.mask_for)
            read = await _read(app, caller, source, stack)
            if wish.mask_for is not None:
                read = await _with_mask(app, caller, read, wish.mask_for, stack)
            content = read.content
            media = await anyio.to_thread.run_sync(identified, content.file, content.size)
        _must_be(media, wish.kind)
        plain = input_name(stem or stem_of(read.name), content.sha256, media.ending)
        name = f"{subfolder_of(caller.grant)}/{plain}"
        yield Gathered(content, media, name, target, owner)


async def _whose(
    app: App, caller: Caller, source: Data | Former | Local, mask_for: str | None
) -> tuple[str | None, str | None]:
    """The job whose outputs are read, another's rather than the caller's own, and whose it is.

    Raises:
        Refused: it may not be looked into; before anything of it is read.
    """
    uris = [source.uri] if isinstance(source, Former) else []
    uris += [mask_for] if mask_for is not None and mask_for.startswith("comfy:") else []
    found: tuple[str | None, str | None] = None, None
    for uri in uris:
        prompt_id, _ = parse_uri(uri)
        jobs = await app.jobs()
        owner = await jobs.owner(prompt_id, caller.grant)
        if found[0] is None or owner != "mine":
            found = prompt_id, owner
    call = caller.call(target=found[0], owner=found[1])
    if found[1] not in {None, "mine"} and app.gate.decide(call, final=True).effect is Effect.DENY:
        async with caller.admitted(app, call):
            raise AssertionError("a call was denied and then admitted")
    return found


async def _read(app: App, caller: Caller, source: Data | Former | Local, stack: ExitStack) -> _Read:
    jobs = await app.jobs()
    if isinstance(source, Data):
        return await _kept(stack, source.content, "upload")
    if isinstance(source, Former):
        return await _former(app, caller, source.uri, stack)
    folders = (*app.settings.input_roots, *caller.roots)
    roots = Roots(folders, variable="COMFY_MCP_INPUT_ROOTS")
    # Before ComfyUI is asked anything: most wrong paths are wrong by their names.
    await anyio.to_thread.run_sync(roots.place, source.path)
    most = min(MOST_FILE, await jobs.host.most_upload())

    def read() -> _Read:
        with roots.reading(source.path, most=most) as found:
            return _Read(found.name, stack.enter_context(held(found.file, most=most)))

    return await anyio.to_thread.run_sync(read)


async def _former(app: App, caller: Caller, uri: str, stack: ExitStack) -> _Read:
    """A former output; a text is none that nodes load."""
    found = await find(app, caller, *parse_uri(uri))
    if found.file.text is not None:
        raise InputError("That output is a text: give it as a parameter, nodes do not load it.")
    jobs = await app.jobs()
    data = await jobs.host.view(found.file, limit=MAX_BYTES)
    return await _kept(stack, data, found.file.filename)


async def _with_mask(
    app: App, caller: Caller, mask: _Read, mask_for: str, stack: ExitStack
) -> _Read:
    """The picture *mask_for* with *mask* as its transparency, as PNG."""
    if mask_for.startswith("comfy:"):
        below = await _former(app, caller, mask_for, stack)
    else:
        below = await _uploaded(app, caller, mask_for, stack)
    data = await anyio.to_thread.run_sync(
        lambda: masked(below.content.whole(), mask.content.whole())
    )
    return await _kept(stack, data, f"{PurePosixPath(below.name).stem}-masked")


async def _uploaded(app: App, caller: Caller, name: str, stack: ExitStack) -> _Read:
    """A picture that the caller uploaded before, by the name that it was told."""
    folder, _, plain = name.removesuffix(" [input]").rpartition("/")
    if folder != subfolder_of(caller.grant) or not _PLAIN.fullmatch(plain):
        raise InputError(
            "mask_for must be a name that upload_input gave you, or the uri of an output of yours."
        )
    from comfy_mcp.host.sighting import OutputFile  # noqa: PLC0415 - start-up stays light

    jobs = await app.jobs()
    file = OutputFile("", "images", plain, folder, "input")
    return await _kept(stack, await jobs.host.view(file, limit=MAX_BYTES), plain)


async def _kept(stack: ExitStack, data: bytes, name: str) -> _Read:
    def keep() -> Content:
        return stack.enter_context(held(io.BytesIO(data), most=max(MAX_BYTES, MOST_DATA)))

    return _Read(name, await anyio.to_thread.run_sync(keep))


def _must_be(media: Media, kind: str | None) -> None:
    wanted = "image" if kind == "mask" else kind
    if wanted not in {None, media.kind}:
        raise InputError(f"The file is {media.format}, not of kind {kind}: nothing was sent.")
