"""A program of its own: reads a film or a sound from stdin, writes what was seen to stdout.

It runs what decodes films (PyAV, FFmpeg) on files that anybody may have made, so it lives apart
from the server, without the server's secrets, and takes everything away from itself before it looks
at the file: time, memory, files and sockets, new processes. It imports nothing of this package.

stdin is the file, seekable. The only argument is JSON: ``{"mode": "film", "side", "frames", "at",
"pictures"}`` or ``{"mode": "sound", "columns"}``, and ``seconds``, ``memory``, ``pixels``. stdout
gets one line of JSON, then for each entry of its ``frames`` width * height * 3 bytes of RGB.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
import time
from typing import Any

__all__ = ["main"]

NO_LIMITS = 3
"""Exit status: this system cannot take anything away from a process."""

MOST_WRITTEN = 40_000_000
"""Bytes: sixteen pictures, each 900 pixels square."""

AHEAD = 3.0
"""Seconds that are decoded rather than leapt over."""

RATE = 8_000
"""Samples a second that loudness is measured at."""

FORMATS = (
    (4, b"ftyp", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (8, b"AVI ", "avi"),
    (8, b"WAVE", "wav"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xfb", "mp3"),
    (0, b"\xff\xf3", "mp3"),
)
"""What is opened, and as what. To guess would let a playlist be opened, which names other files."""


def main() -> int:
    """Do what the argument says; the exit status."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    if not _bound(order["seconds"], order["memory"]):
        return NO_LIMITS
    av = _loaded()
    source = os.fdopen(0, "rb", buffering=1 << 16)
    head = source.read(16)
    source.seek(0)
    kind = next((name for at, mark, name in FORMATS if head[at:].startswith(mark)), None)
    if kind is None:
        return _say({"error": "It is no kind of file that is read here."})
    _forbid_files()
    try:
        with av.open(source, mode="r", format=kind, options={"protocol_whitelist": "none"}) as it:
            if order["mode"] == "film":
                return _film(it, order, time.monotonic() + order["seconds"] / 2)
            return _sound(av, it, order, time.monotonic() + order["seconds"] / 2)
    except (av.error.FFmpegError, ValueError, OSError, MemoryError, OverflowError) as error:
        return _say({"error": f"It cannot be decoded ({type(error).__name__})."})


def _bound(seconds: int, memory: int) -> bool:
    """Take time and memory away from this process, and the right to write; whether that worked."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return False
    bounds = {"CPU": seconds, "FSIZE": MOST_WRITTEN, "CORE": 0}
    if sys.platform != "darwin":  # which knows that limit and refuses to set it
        bounds["AS"] = memory
    for name, most in bounds.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    return True


def _loaded() -> Any:
    """PyAV as a whole, before files are forbidden: it loads its parts when they are first used."""
    av: Any = importlib.import_module("av")
    for found in pkgutil.walk_packages(av.__path__, "av."):
        if not found.name.endswith(("__main__", "datasets")):
            importlib.import_module(found.name)
    av.logging.set_level(None)
    return av


def _forbid_files() -> None:
    """No file or socket can be opened, and no process started, from here on."""
    resource: Any = importlib.import_module("resource")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _film(container: Any, order: dict[str, Any], deadline: float) -> int:
    if not container.streams.video:
        return _say({"error": "It has no pictures."})
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None:
        return _say({"error": "How its pictures are packed is not known here."})
    if context.width * context.height > order["pixels"]:
        return _say({"error": f"Its pictures are {context.width}x{context.height}, too large."})
    context.thread_count = 1
    context.options = {"max_pixels": str(order["pixels"])}
    seconds = _seconds(container, stream)
    facts = _facts(container, stream, seconds)
    if not order["pictures"]:
        return _say(facts)
    found = [
        (float(frame.time or 0.0), _small(frame, order["side"]))
        for frame in _chosen(container, stream, _times(order, seconds), deadline)
    ]
    facts["cut"] = time.monotonic() > deadline
    shapes = [[round(at, 3), small.width, small.height] for at, small in found]
    _say({**facts, "frames": shapes})
    for _, small in found:
        _write(small)
    return 0


def _seconds(container: Any, stream: Any) -> float | None:
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, container.duration / 1_000_000) if container.duration else None


def _facts(container: Any, stream: Any, seconds: float | None) -> dict[str, Any]:
    context = stream.codec_context
    facts: dict[str, Any] = {
        "size": f"{context.width}x{context.height}",
        "codec": context.name,
    }
    if seconds is not None:
        facts["seconds"] = round(seconds, 3)
    if stream.average_rate:
        facts["fps"] = round(float(stream.average_rate), 3)
    if stream.frames:
        facts["frame_count"] = int(stream.frames)
    facts["audio"] = bool(container.streams.audio)
    return facts


def _times(order: dict[str, Any], seconds: float | None) -> list[float]:
    """When the frames that are wanted are due."""
    if order["at"] is not None:
        return [float(order["at"])]
    count = order["frames"]
    if not seconds or count == 1:
        return [0.0]
    # The last one a little before the end, where there is a frame for sure.
    return [0.97 * seconds * place / (count - 1) for place in range(count)]


def _chosen(container: Any, stream: Any, times: list[float], deadline: float) -> Any:
    """For each of *times* the first frame that is due then or later; at the end the last one."""
    frames, now, last, given = container.decode(stream), -1.0, None, None
    for due in times:
        if due > now + AHEAD and due > AHEAD and _leap(container, stream, due):
            frames = container.decode(stream)
        while now < due or last is None:
            frame = next(frames, None)
            if frame is None or time.monotonic() > deadline:
                break
            last, now = frame, float(frame.time if frame.time is not None else now)
        if last is not None and last is not given:
            given = last
            yield last
        if time.monotonic() > deadline:
            return


def _leap(container: Any, stream: Any, seconds: float) -> bool:
    """Go to the last key frame before that moment, if the file lets us."""
    try:
        container.seek(int(seconds / stream.time_base), stream=stream)
    except (OSError, OverflowError):
        return False
    return True


def _small(frame: Any, side: int) -> Any:
    scale = min(1.0, side / max(frame.width, frame.height))
    width, height = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    try:
        # More threads than one count as new processes.
        return frame.reformat(width=width, height=height, format="rgb24", threads=1)
    except TypeError:  # PyAV before 17 does not know threads, and starts none
        return frame.reformat(width=width, height=height, format="rgb24")


def _write(frame: Any) -> None:
    """The rows of a picture, without what pads them."""
    plane = frame.planes[0]
    rows, line = memoryview(plane), frame.width * 3
    for row in range(frame.height):
        begin = row * plane.line_size
        sys.stdout.buffer.write(rows[begin : begin + line])
    sys.stdout.buffer.flush()


def _sound(av: Any, container: Any, order: dict[str, Any], deadline: float) -> int:
    """The greatest amplitude, 0 to 1, in each of so many parts of what could be heard in time."""
    if not container.streams.audio:
        return _say({"error": "It has no sound."})
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        return _say({"error": "How its sound is packed is not known here."})
    even = av.audio.resampler.AudioResampler(format="s16", layout="mono", rate=RATE)
    peaks: list[int] = []
    samples = 0
    for frame in container.decode(stream):
        for each in even.resample(frame):
            heard = memoryview(each.planes[0]).cast("h")[: each.samples]
            samples += len(heard)
            # A hundredth of a second at a time.
            peaks += [max(map(abs, heard[at : at + 80])) for at in range(0, len(heard), 80)]
        if time.monotonic() > deadline:
            break
    columns = min(order["columns"], len(peaks))
    parts = [
        peaks[len(peaks) * c // columns : len(peaks) * (c + 1) // columns] for c in range(columns)
    ]
    told = [round(max(part) / 32768, 3) for part in parts]
    cut = time.monotonic() > deadline
    return _say({"heard": round(samples / RATE, 3), "peaks": told, "cut": cut})


def _say(facts: dict[str, Any]) -> int:
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n")
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
