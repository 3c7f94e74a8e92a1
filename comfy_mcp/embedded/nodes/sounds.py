"""Nodes for sounds: silence, files to load and files that were written."""

from __future__ import annotations

import hashlib
import io
import time
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.flac import encoded
from comfy_mcp.embedded.nodes.base import (
    PNG_INFO,
    Context,
    Folders,
    Node,
    Result,
    combo,
    link,
    number,
    text,
    whole,
)
from comfy_mcp.embedded.nodes.notes import notes
from comfy_mcp.embedded.nodes.sources import located
from comfy_mcp.embedded.paths import save_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["NODES", "Audio"]

WIDTH = 2
"""Bytes of a sample."""

MOST_BYTES = 256 * 1024 * 1024

_MODULE = "comfy_extras.nodes_audio"
_ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")


@dataclass(frozen=True, slots=True)
class Audio:
    """*samples* of 16 bits, little-endian, channels in turn."""

    samples: bytes
    channels: int
    rate: int


def _empty(_context: Context, inputs: Mapping[str, Any]) -> Result:
    rate, channels = inputs["sample_rate"], inputs["channels"]
    length = round(inputs["duration"] * rate) * channels * WIDTH
    if length > MOST_BYTES:
        raise MemoryError(f"{length} bytes of silence are more than this host makes.")
    return Result((Audio(bytes(length), channels, rate),))


def _load(context: Context, inputs: Mapping[str, Any]) -> Result:
    path = located(context.folders, inputs["audio"])
    content = b"" if path is None else path.read_bytes()
    if content[:4] != b"RIFF":
        raise ValueError("This host decodes WAV only.")
    with wave.open(io.BytesIO(content)) as sound:
        if sound.getsampwidth() != WIDTH:
            raise ValueError("This host decodes WAV of 16 bits only.")
        samples = sound.readframes(sound.getnframes())
        return Result((Audio(samples, sound.getnchannels(), sound.getframerate()),))


def _missing(folders: Folders, inputs: Mapping[str, Any]) -> tuple[str, str] | None:
    name = inputs.get("audio")
    if not isinstance(name, str):
        return None
    path = located(folders, name)
    return None if path is not None and path.exists() else ("audio", f"Invalid audio file: {name}")


def _fingerprint(folders: Folders, inputs: Mapping[str, Any]) -> str:
    path = located(folders, str(inputs.get("audio")))
    if path is None or not path.is_file():
        return "missing"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _input_files(folders: Folders) -> list[str]:
    names = (each.name for each in folders.input.iterdir() if each.is_file())
    return sorted(name for name in names if name.lower().endswith(_ENDINGS))


def _save(context: Context, inputs: Mapping[str, Any]) -> Result:
    return _written(context, inputs, context.folders.output, inputs["filename_prefix"], "output")


def _preview(context: Context, inputs: Mapping[str, Any]) -> Result:
    prefix = f"ComfyUI_temp_{context.temp_tag}"
    return _written(context, inputs, context.folders.temp, prefix, "temp")


def _written(
    context: Context, inputs: Mapping[str, Any], base: Path, prefix: str, kind: str
) -> Result:
    audio: Audio = inputs["audio"]
    place = save_name(prefix, base, 0, 0, time.localtime())
    name = f"{place.stem}_{place.counter:05}.flac"
    content = encoded(audio.samples, audio.channels, audio.rate, notes(context))
    (place.folder / name).write_bytes(content)
    entry = {"filename": name, "subfolder": place.subfolder, "type": kind}
    return Result((audio,), {"audio": [entry]})


NODES = (
    Node(
        "EmptyAudio",
        "Empty Audio",
        "audio",
        (
            number("duration", 60.0, 0.0, 18446744073709551615, step=0.01),
            whole("sample_rate", 44100, 1, 192000),
            whole("channels", 2, 1, 2),
        ),
        ("AUDIO",),
        _empty,
        module=_MODULE,
        modern=True,
    ),
    Node(
        "LoadAudio",
        "Load Audio",
        "audio",
        (combo("audio", _input_files, audio_upload=True),),
        ("AUDIO",),
        _load,
        module=_MODULE,
        check=_missing,
        fingerprint=_fingerprint,
        unchecked=("audio",),
        modern=True,
    ),
    Node(
        "SaveAudio",
        "Save Audio (FLAC)",
        "audio",
        (link("audio", "AUDIO"), text("filename_prefix", "audio/ComfyUI")),
        ("AUDIO",),
        _save,
        output_names=("audio",),
        module=_MODULE,
        output_node=True,
        hidden=PNG_INFO,
        modern=True,
    ),
    Node(
        "PreviewAudio",
        "Preview Audio",
        "audio",
        (link("audio", "AUDIO"),),
        ("AUDIO",),
        _preview,
        output_names=("audio",),
        description="Plays the audio without keeping it.",
        module=_MODULE,
        output_node=True,
        hidden=PNG_INFO,
        modern=True,
    ),
)
