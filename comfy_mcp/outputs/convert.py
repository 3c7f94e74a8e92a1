"""Pictures for somewhere else: another format, no more bytes or pixels than asked for.

Decodes and encodes: call all of it on a thread.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.jpegs import as_jpeg
from comfy_mcp.outputs.opening import MAX_DECODED, flat, is_too_large, opened

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "Converted", "Format", "converted", "must_be_small_enough", "size_of"]

Format = Literal["png", "jpeg", "webp"]

FORMATS: dict[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
"""What can be written, by the ending of its name."""

LEAST_BYTES = 1_000
LEAST_SIDE = 16
BEST, WORST = 92, 40
"""Qualities: nothing is gained above, nothing is to be seen below."""

PIXELS_FOR_A_BYTE: dict[Format, int] = {"png": 40, "jpeg": 60, "webp": 80}
"""With fewer bits for a pixel it looks better to have fewer pixels."""

QUICK = 2_000_000
"""Pixels from which on a PNG is packed less tightly: the rest takes half a minute."""

MOST_FRAMES = 500
MOST_PROFILE = 10_000
"""Bytes of a colour profile that is worth keeping."""

_MAKE, _MODEL = 0x010F, 0x0110
"""Where ComfyUI's own nodes put workflow and prompt in EXIF."""


@dataclass(frozen=True, slots=True)
class Converted:
    """*data* is a picture of *size* in *format*; *notes* say what is not as it was."""

    data: bytes
    format: Format
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Work:
    """One picture on its way: its *frames* (one, unless it moves), as large as they may be."""

    frames: list[Image.Image]
    extra: dict[str, Any]
    notes: list[str] = field(default_factory=list[str])


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a picture, without decoding it.

    Raises:
        OutputError: it is none.
    """
    with opened(data) as picture:
        return picture.size


def must_be_small_enough(size: tuple[int, int], form: str) -> None:
    """*size* and *form* are those in a picture's header, the latter in Pillow's words.

    Raises:
        OutputError: such a picture is too large to be converted.
    """
    if is_too_large(size, form):
        raise OutputError(
            f"The picture is {size[0]}x{size[1]}, too large to be converted here: export it as it"
            " is, without format, max_bytes and max_pixels, or scale it down in ComfyUI first."
        )


def converted(
    data: bytes,
    form: Format,
    *,
    max_bytes: int | None = None,
    max_pixels: int | None = None,
    keep_metadata: bool = False,
) -> Converted:
    """The picture in *data* as *form*; *max_pixels* is its longest side.

    Of what moves, WebP keeps all frames and the others the first. Only *keep_metadata* keeps the
    workflow and prompt that ComfyUI wrote into the file.

    Raises:
        OutputError: it is no picture, one too large to decode, or cannot be made so small.
    """
    if max_bytes is not None and max_bytes < LEAST_BYTES:
        raise OutputError(f"max_bytes must be at least {LEAST_BYTES}: no picture is smaller.")
    with opened(data) as picture:
        work = _decoded(picture, form, keep_metadata=keep_metadata)
    side = max(work.frames[0].size)
    limit = min(side, max_pixels or side)
    if max_bytes is None:
        work.frames = _fitted(work.frames, limit)
        made = _encoded(work, form, BEST if form == "jpeg" else 90)
    else:
        made = _within(work, form, limit, max_bytes)
    size = work.frames[0].size
    if max(size) < limit:
        work.notes.append(f"made smaller to fit {max_bytes} bytes")
    return Converted(made, form, size, tuple(work.notes))


def _decoded(picture: Image.Image, form: Format, *, keep_metadata: bool) -> _Work:
    from PIL import ImageOps, ImageSequence  # noqa: PLC0415 - start-up stays light

    extra: dict[str, Any] = {}
    notes: list[str] = []
    profile = picture.info.get("icc_profile")
    if isinstance(profile, bytes) and len(profile) <= MOST_PROFILE:
        extra["icc_profile"] = profile
    if keep_metadata:
        extra |= _kept(picture, form, notes)
    count = int(getattr(picture, "n_frames", 1))
    if count > 1 and form == "webp":
        if count > MOST_FRAMES or count * picture.width * picture.height > MAX_DECODED:
            raise OutputError("The animation is too large to convert: export it without a format.")
        frames: list[Image.Image] = []
        waits: list[int] = []
        for frame in ImageSequence.Iterator(picture):
            frames.append(frame.convert("RGBA"))
            waits.append(int(frame.info.get("duration", 100)))
        extra |= {"duration": waits, "loop": int(picture.info.get("loop", 0))}
        return _Work(frames, extra, notes)
    if count > 1:
        notes.append(f"the first of {count} frames: only WebP keeps them all")
    upright = ImageOps.exif_transpose(picture)
    if form == "jpeg":
        return _Work([flat(upright)], extra, notes)
    return _Work([_plain(upright, form)], extra, notes)


def _plain(picture: Image.Image, form: Format) -> Image.Image:
    """In a mode that *form* can hold without loss where there is one."""
    if form == "png" and picture.mode in {"1", "L", "LA", "I;16", "RGB", "RGBA"}:
        picture.load()
        return picture if "transparency" not in picture.info else picture.convert("RGBA")
    if "A" in picture.getbands() or "transparency" in picture.info:
        return picture.convert("RGBA")
    return flat(picture)


def _kept(picture: Image.Image, form: Format, notes: list[str]) -> dict[str, Any]:
    """Workflow and prompt as ComfyUI finds them again in *form*."""
    from PIL import Image  # noqa: PLC0415 - start-up stays light
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - start-up stays light

    told = _told(picture)
    if form == "png":
        chunks = PngInfo()
        for key, text in told.items():
            chunks.add_text(key, text)
        return {"pnginfo": chunks}
    exif = Image.Exif()
    for tag, key in ((_MAKE, "workflow"), (_MODEL, "prompt")):
        if key in told:
            exif[tag] = f"{key}:{told[key]}"
    body = exif.tobytes() if told else b""
    if form == "jpeg" and len(body) > 65_000:  # noqa: PLR2004 - a segment of a JPEG holds no more
        notes.append("its workflow is too large for a JPEG and was left out")
        return {}
    return {"exif": body} if body else {}


def _told(picture: Image.Image) -> dict[str, str]:
    texts = {k: v for k, v in picture.info.items() if isinstance(k, str) and isinstance(v, str)}
    found = {key: str(texts[key]) for key in ("prompt", "workflow") if _is_json(texts.get(key))}
    for tag in (_MAKE, _MODEL):
        key, _, text = str(picture.getexif().get(tag, "")).partition(":")
        if key in {"prompt", "workflow"} and _is_json(text):
            found.setdefault(key, text)
    return found


def _is_json(text: str | None) -> bool:
    try:
        return text is not None and json.loads(text) is not None
    except (ValueError, RecursionError):
        return False


def _within(work: _Work, form: Format, limit: int, most: int) -> bytes:
    """The best that fits *most* bytes; *work* has its frames as they were written."""
    whole = work.frames
    side = min(limit, _wise_side(whole, PIXELS_FOR_A_BYTE[form] * most))
    while True:
        work.frames = _fitted(whole, side)
        made = _best(lambda quality: _encoded(work, form, quality), form, most)
        if len(made) <= most:
            return made
        if side <= LEAST_SIDE:
            raise OutputError(
                f"It cannot be made smaller than {len(made)} bytes as {form}: allow more, or leave"
                " the metadata out."
            )
        # By how much its area is too large, and a little more.
        side = max(LEAST_SIDE, min(side - 1, int(side * math.sqrt(most / len(made)) * 0.95)))


def _best(encode: Callable[[int], bytes], form: Format, most: int) -> bytes:
    """The highest quality that fits *most*, within 4; the lowest if none does."""
    made = encode(BEST)
    if form == "png" or len(made) <= most:
        return made
    low, high = WORST, BEST
    made = encode(low)
    if len(made) > most:
        return made
    while high - low > 4:  # noqa: PLR2004 - as above
        middle = (low + high) // 2
        again = encode(middle)
        if len(again) <= most:
            low, made = middle, again
        else:
            high = middle
    return made


def _wise_side(frames: list[Image.Image], pixels: int) -> int:
    """The longest side with which all frames together have at most so many pixels."""
    width, height = frames[0].size
    area = max(LEAST_SIDE**2, pixels // len(frames))
    return max(LEAST_SIDE, int(max(width, height) * min(1.0, math.sqrt(area / (width * height)))))


def _fitted(frames: list[Image.Image], side: int) -> list[Image.Image]:
    """The frames with a longest side of at most *side*."""
    width, height = frames[0].size
    if max(width, height) <= side:
        return frames
    by = side / max(width, height)
    size = max(1, round(width * by)), max(1, round(height * by))
    return [_resized(one, size) for one in frames]


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    # Colours can be mixed in some modes only.
    mixed = picture.convert("L") if picture.mode == "1" else picture
    return mixed.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)  # pyright: ignore[reportUnknownMemberType]  # Pillow's own types name numpy's


def _encoded(work: _Work, form: Format, quality: int) -> bytes:
    first, *more = work.frames
    options: dict[str, Any] = dict(work.extra)
    if form == "png":
        options |= {"compress_level": 9 if first.width * first.height <= QUICK else 6}
    elif form == "jpeg":
        options |= {"quality": quality, "optimize": True, "progressive": True}
    else:
        options |= {"quality": quality, "method": 4}
    if more:
        options |= {"save_all": True, "append_images": more}
    buffer = io.BytesIO()
    try:
        if form == "jpeg":
            return as_jpeg(first, **options)
        first.save(buffer, form.upper(), **options)
    except (OSError, ValueError) as error:
        raise OutputError(f"The picture cannot be written as {form}: {error}.") from error
    return buffer.getvalue()
