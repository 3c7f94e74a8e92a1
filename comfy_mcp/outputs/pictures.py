"""Looking at pictures that Pillow can read: one, or the frames of an animation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_mcp.outputs.opening import flat, opened
from comfy_mcp.outputs.seen import Frame, Seen, Wanted, spread
from comfy_mcp.outputs.sheet import tile_side
from comfy_mcp.outputs.thumbnails import reduced, shrunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

__all__ = ["look_at_picture"]

MAX_WORK = 400_000_000
"""Pixels of all frames that are decoded for one look: 190 of full HD, 1500 of 512x512."""

MAX_VISITED = 2_000
"""Frames that are decoded for one look, however small."""

_MOVING = frozenset({"GIF", "PNG", "WEBP", "AVIF"})


def look_at_picture(data: bytes, wanted: Wanted) -> Seen:
    """Size of the picture and the picture; of an animation some frames, and how long it is.

    Decodes: call it on a thread.

    Raises:
        OutputError: it is no picture, a broken one, or one too large to decode.
    """
    with opened(data) as picture:
        facts: dict[str, object] = {"size": f"{picture.width}x{picture.height}"}
        count = _frames(picture)
        if count > 1:
            return _moving(picture, count, wanted, facts)
        if not wanted.pictures:
            return Seen(facts)
        return Seen(facts, (Frame(reduced(picture, wanted.side)),))


def _frames(picture: Image.Image) -> int:
    """How many frames it says to have."""
    if picture.format not in _MOVING or not getattr(picture, "is_animated", False):
        return 1
    return int(getattr(picture, "n_frames", 1))


def _moving(picture: Image.Image, count: int, wanted: Wanted, facts: dict[str, object]) -> Seen:
    most = max(1, min(count, MAX_VISITED, MAX_WORK // max(1, picture.width * picture.height)))
    numbers = spread(wanted.frames if wanted.at is None else 1, most)
    side = tile_side(wanted.side, len(numbers))
    facts["frames"] = count
    found: list[Frame] = []
    seconds = 0.0
    for number, start, end in _visited(picture, most):
        seconds = end
        due = number in numbers if wanted.at is None else end > wanted.at or number == most - 1
        if due and wanted.pictures:
            found.append(Frame(_small(picture, side), f"{start:.2f} s"))
        if due and wanted.at is not None:
            facts["at"] = round(start, 3)
            return Seen(facts, tuple(found))
    if most == count:
        facts["seconds"] = round(seconds, 3)
    else:
        facts["note"] = f"Only the first {most} frames ({seconds:.1f} s) were looked at."
    return Seen(facts, tuple(found))


def _visited(picture: Image.Image, most: int) -> Iterator[tuple[int, float, float]]:
    """Number, start and end in seconds of each of the first *most* frames, decoded one by one."""
    start = 0.0
    for number in range(most):
        picture.seek(number)
        picture.load()
        length = picture.info.get("duration")
        end = start + (max(0.0, float(length)) / 1000 if isinstance(length, int | float) else 0.0)
        yield number, start, end
        start = end


def _small(picture: Image.Image, side: int) -> Image.Image:
    small = flat(shrunk(picture, 2 * side))
    small.thumbnail((side, side))
    return small
