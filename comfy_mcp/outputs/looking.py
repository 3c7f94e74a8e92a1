"""Looking at a file by its kind: facts, and pictures where there is something to see."""

from __future__ import annotations

from collections.abc import Callable

from comfy_mcp.outputs.films import look_at_film, peaks_of
from comfy_mcp.outputs.kinds import Kind
from comfy_mcp.outputs.models import look_at_model
from comfy_mcp.outputs.pictures import look_at_picture
from comfy_mcp.outputs.seen import Frame, Seen, Wanted
from comfy_mcp.outputs.sniffing import nature
from comfy_mcp.outputs.sounds import heard, plain
from comfy_mcp.outputs.tensors import header, look_at_tensors
from comfy_mcp.outputs.texts import piece
from comfy_mcp.outputs.waves import COLUMNS, loudness, wave

__all__ = ["look_at"]

SVG = "image/svg+xml"


def look_at(data: bytes, kind: Kind, mime: str, wanted: Wanted) -> Seen:
    """What there is to see in the file *data*.

    Decodes, and waits for another process if it is a film: call it on a thread.

    Raises:
        OutputError: it is broken, or too large to decode.
    """
    if mime == SVG:
        # Drawing it would mean to run what it says.
        return _text(data, wanted)
    return _LOOKS.get(kind, _other)(data, wanted)


def _text(data: bytes, wanted: Wanted) -> Seen:
    return Seen(piece(data.decode(errors="replace"), wanted.offset))


def _sound(data: bytes, wanted: Wanted) -> Seen:
    sound = heard(data)
    facts: dict[str, object] = {"bytes": len(data)}
    if sound is None:
        return Seen({**facts, "note": f"No header of a sound that is known here{nature(data)}."})
    peaks = _peaks(data, min(COLUMNS, wanted.side // 2)) if wanted.pictures else []
    return Seen({**facts, **sound.facts()}, (Frame(wave(peaks)),) if peaks else ())


def _peaks(data: bytes, columns: int) -> list[float]:
    samples = plain(data)
    return loudness(samples, columns) if samples is not None else peaks_of(data, columns)


def _model(data: bytes, _wanted: Wanted) -> Seen:
    return look_at_model(data)


def _tensors(data: bytes, _wanted: Wanted) -> Seen:
    return look_at_tensors(data)


def _other(data: bytes, _wanted: Wanted) -> Seen:
    if header(data) is not None:
        return look_at_tensors(data)
    return Seen({"bytes": len(data), "note": f"No kind that can be shown{nature(data)}."})


_LOOKS: dict[Kind, Callable[[bytes, Wanted], Seen]] = {
    "image": look_at_picture,
    "video": look_at_film,
    "text": _text,
    "audio": _sound,
    "3d": _model,
    "latent": _tensors,
}
