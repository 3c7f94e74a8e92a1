"""Outputs as a client is shown them: fetched, looked at, and put into few bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import anyio

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs import MAX_BYTES, Output, describe
from comfy_mcp.outputs import uri as uri_of
from comfy_mcp.outputs.looking import look_at
from comfy_mcp.outputs.seen import Frame, Seen, Wanted
from comfy_mcp.outputs.sheet import card, drawn, tile_side
from comfy_mcp.outputs.texts import kept_piece
from comfy_mcp.tools.app import App, Caller

if TYPE_CHECKING:
    from comfy_mcp.host import OutputFile

__all__ = ["Found", "Linked", "Picture", "Shown", "find", "several", "single"]

LINE = 300
"""Characters of a text that are told of one output among several."""

FEW = 3
"""Entries of a list that are told of one output among several."""

_FULL = frozenset({"uri", "filename", "mime_type", "url"})
_BRIEF = frozenset({"uri", "filename"})


@dataclass(frozen=True, slots=True)
class Picture:
    """A small JPEG."""

    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Linked:
    """An output, and how many bytes its whole file has, if that is known."""

    output: Output
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows: maybe a picture, links to the whole files, and a few words of JSON."""

    links: tuple[Linked, ...]
    words: str
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An output of a job, and what tools tell of it."""

    file: OutputFile
    output: Output


@dataclass(frozen=True, slots=True)
class _Look:
    """One output and what was seen of it; *error*: why nothing was."""

    found: Found
    seen: Seen
    size: int | None = None
    error: OutputError | None = None


async def find(app: App, caller: Caller, prompt_id: str, number: int) -> Found:
    """The *number*-th output of a job.

    Raises:
        JobNotFound: nobody knows the job.
        OutputError: it has no such output, or none yet.
    """
    jobs = await app.jobs()
    job = await jobs.get(prompt_id, caller.grant)
    files = await jobs.files(prompt_id)
    if number < len(files):
        file = files[number]
        return Found(file, describe(uri_of(prompt_id, number), file, jobs.host))
    if job.status in {"pending", "in_progress"}:
        raise OutputError("The job has not finished, so it has no outputs yet: ask get_job.")
    have = f"0 to {len(files) - 1}" if files else "none"
    raise OutputError(f"The job has no output {number} (it has: {have}); see get_job.")


async def single(app: App, found: Found, wanted: Wanted) -> Shown:
    """One output by itself.

    Raises:
        HostError: ComfyUI does not answer.
        OutputError: the file is gone, broken or too large.
    """
    look = await _looked(app, found, wanted)
    if look.error is not None:
        raise look.error
    words = {**_named(found.output, _FULL), **look.seen.facts}
    picture = await _picture(look.seen.frames, wanted)
    return _shown(app, (look,), words, picture)


async def several(app: App, found: tuple[Found, ...], wanted: Wanted) -> Shown:
    """Many outputs on one sheet, numbered; without any picture there is none.

    Raises:
        HostError: ComfyUI does not answer.
    """
    side = tile_side(wanted.side, len(found))
    tile = replace(wanted, side=side, frames=1)
    # One after the other: each whole file takes memory, its tile little.
    looks = [await _looked(app, one, tile) for one in found]
    seen = any(look.seen.frames for look in looks)
    tiles = await anyio.to_thread.run_sync(_tiles, looks, side) if seen else ()
    legend = [
        {"n": number, **_named(look.found.output, _BRIEF), **_line(look)}
        for number, look in enumerate(looks, 1)
    ]
    return _shown(app, tuple(looks), {"outputs": legend}, await _picture(tiles, wanted))


async def _looked(app: App, found: Found, wanted: Wanted) -> _Look:
    file, output = found.file, found.output
    if file.text is not None:
        return _Look(found, Seen(kept_piece(file, wanted.offset)))
    jobs = await app.jobs()
    # A few at a time: a file and its picture take memory, and threads that the wire needs.
    async with app.pictures:
        try:
            data = await jobs.host.view(file, limit=MAX_BYTES)
            seen = await _seen(data, output, wanted)
        except OutputError as error:
            return _Look(found, Seen(), error=error)
        return _Look(found, seen, len(data))


async def _seen(data: bytes, output: Output, wanted: Wanted) -> Seen:
    return await anyio.to_thread.run_sync(look_at, data, output.kind, output.mime_type, wanted)


def _tiles(looks: list[_Look], side: int) -> tuple[Frame, ...]:
    """One picture of each, numbered; of what has none among others, a card with its kind."""
    return tuple(
        Frame(
            look.seen.frames[0].picture if look.seen.frames else card(_kind(look), side),
            str(number),
        )
        for number, look in enumerate(looks, 1)
    )


def _kind(look: _Look) -> str:
    return "not shown" if look.error is not None else look.found.output.kind


async def _picture(frames: tuple[Frame, ...], wanted: Wanted) -> Picture | None:
    if not frames:
        return None
    return Picture(await anyio.to_thread.run_sync(drawn, frames, wanted.side))


def _shown(
    app: App, looks: tuple[_Look, ...], words: dict[str, object], picture: Picture | None
) -> Shown:
    links = tuple(Linked(look.found.output, look.size) for look in looks)
    linked = links if app.settings.image_responses != "omit" else ()
    return Shown(linked, json.dumps(words, ensure_ascii=False), picture)


def _named(output: Output, names: frozenset[str]) -> dict[str, object]:
    return output.model_dump(exclude_none=True, include=set(names))


def _line(look: _Look) -> dict[str, object]:
    """What is told of one among several: short, for sixteen have to fit into one answer."""
    if look.error is not None:
        return {"error": str(look.error)[:LINE]}
    told = look.seen.facts.items()
    return {name: _cut(value) for name, value in told if name != "next_cursor"}


def _cut(value: object) -> object:
    if isinstance(value, str):
        return value[:LINE]
    return cast("list[object]", value)[:FEW] if isinstance(value, list) else value
