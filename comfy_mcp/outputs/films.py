"""Films and sounds, read in a process of their own: what decodes them is large, and old in parts.

See `comfy_mcp.outputs.frame_reader` for what that process may do: next to nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from comfy_mcp.errors import OutputError
from comfy_mcp.outputs.opening import MAX_DECODED
from comfy_mcp.outputs.seen import Frame, Seen, Wanted
from comfy_mcp.outputs.sheet import tile_side
from comfy_mcp.outputs.sniffing import nature

__all__ = ["can_read_films", "look_at_film", "peaks_of"]

NO_READER = (
    "Frames of videos are seen once the owner of this server installs the extra:"
    " pip install 'comfy-mcp-guard[video]'. Until then open its url."
)
NO_LIMITS_HERE = "Videos are not read on this system, where a process cannot be bounded."

PROGRAM = Path(__file__).with_name("frame_reader.py")

SECONDS = 10
"""Of processor time; the reader itself ends with what it has after half of it."""

PATIENCE = 20.0
"""Seconds until a reader that does not end is killed."""

MEMORY = 1_500_000_000
"""Bytes of address space: four times what 4k needs."""

MOST_READ = 40_000_000

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What the reader gets of our environment, which may hold secrets."""

_NO_LIMITS = 3


@dataclass(frozen=True, slots=True)
class _Answer:
    told: dict[str, Any]
    pictures: bytes = b""


def can_read_films() -> bool:
    """Whether what decodes films is installed."""
    return importlib.util.find_spec("av") is not None


def look_at_film(data: bytes, wanted: Wanted) -> Seen:
    """Length, size and frames of a film; without a reader, how to get one.

    Waits for another process, at most `PATIENCE`: call it on a thread.

    Raises:
        OutputError: it cannot be decoded, or not in time.
    """
    if not can_read_films():
        return Seen({"bytes": len(data), "note": NO_READER})
    side = tile_side(wanted.side, wanted.frames if wanted.at is None else 1)
    order = {"mode": "film", "side": side, "frames": wanted.frames, "at": wanted.at}
    answer = _read(data, {**order, "pictures": wanted.pictures})
    facts: dict[str, object] = {"bytes": len(data), **_known(answer.told)}
    if answer.told.get("cut"):
        facts["note"] = "Decoding took too long: only the first frames were looked at."
    frames = _frames(answer, side)
    if wanted.at is not None and frames:
        facts["at"] = float(answer.told["frames"][0][0])
    return Seen(facts, frames)


def peaks_of(data: bytes, columns: int) -> list[float]:
    """How loud a sound is in each of *columns* parts, 0 to 1; empty if nobody can tell.

    Waits for another process, at most `PATIENCE`: call it on a thread.
    """
    if not can_read_films():
        return []
    try:
        told = _read(data, {"mode": "sound", "columns": columns}).told.get("peaks")
    except OutputError:
        return []
    peaks = cast("list[object]", told) if isinstance(told, list) else []
    return [float(peak) for peak in peaks[:columns] if isinstance(peak, int | float)]


def _read(data: bytes, order: dict[str, object]) -> _Answer:
    bounds = {"seconds": SECONDS, "memory": MEMORY, "pixels": MAX_DECODED}
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as answer:
        source.write(data)
        source.seek(0)
        status = _run(json.dumps({**order, **bounds}), source, answer)
        if status == _NO_LIMITS:
            raise OutputError(f"{NO_LIMITS_HERE} Open its url instead.")
        answer.seek(0)
        said = answer.read(MOST_READ)
    line, _, pictures = said.partition(b"\n")
    try:
        told: object = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if status != 0 or not isinstance(told, dict):
        raise OutputError(
            f"The file could not be decoded within the time and memory for it{nature(data)}; open"
            " its url instead."
        )
    found = cast("dict[str, Any]", told)
    if "error" in found:
        why = str(found["error"])[:200]
        raise OutputError(f"The file is not shown{nature(data)}: {why} Open its url instead.")
    return _Answer(found, pictures)


def _run(order: str, source: IO[bytes], answer: IO[bytes]) -> int:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        return subprocess.run(  # noqa: S603 - our own program, with an argument of our own
            [sys.executable, "-E", "-P", str(PROGRAM), order],
            stdin=source,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=PATIENCE,
            check=False,
            close_fds=True,
        ).returncode
    except subprocess.TimeoutExpired:
        return -1


_FACTS: dict[str, type | tuple[type, ...]] = {
    "size": str,
    "seconds": (int, float),
    "fps": (int, float),
    "frame_count": int,
    "codec": str,
    "audio": bool,
}
"""What is believed of the reader's answer: the file may have taken it over."""


def _known(told: dict[str, Any]) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name, kind in _FACTS.items():
        value = told.get(name)
        if isinstance(value, kind):
            facts[name] = value[:40] if isinstance(value, str) else value
    return facts


def _frames(answer: _Answer, side: int) -> tuple[Frame, ...]:
    from PIL import Image  # noqa: PLC0415 - start-up stays light

    frames: list[Frame] = []
    begin = 0
    for at, width, height in answer.told.get("frames") or ():
        if not (0 < width <= side + 2 and 0 < height <= side + 2):
            break
        end = begin + width * height * 3
        if end > len(answer.pictures):
            break
        picture = Image.frombytes("RGB", (width, height), answer.pictures[begin:end])
        frames.append(Frame(picture, f"{float(at):.2f} s"))
        begin = end
    return tuple(frames)
