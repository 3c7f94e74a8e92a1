"""What a file is, by its content alone: its name and what its giver says of it prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal

from comfy_mcp.errors import InputError
from comfy_mcp.inputs import films, sounds
from comfy_mcp.inputs.pictures import picture
from comfy_mcp.inputs.strangers import stranger, tail_fault

__all__ = ["Kind", "Media", "identified"]

Kind = Literal["image", "audio", "video"]

HEAD = 4_096
"""Bytes at the beginning that say what a file is."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file that nodes can load: *ending* without its dot; sizes and times if they are cheap."""

    kind: Kind
    format: str
    mime_type: str
    ending: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Form:
    """One format: how it begins, and who looks closer; *check* gives size or length, or raises."""

    kind: Kind
    name: str
    mime_type: str
    ending: str
    begins: Callable[[bytes], bool]
    check: Callable[[BinaryIO, int], tuple[float, ...]]


def identified(file: BinaryIO, size: int) -> Media:
    """What *file*, of *size* bytes, is; decodes pictures, so call it on a thread.

    Raises:
        InputError: it is nothing that nodes load, broken, too large, or two things in one.
    """
    file.seek(0)
    head = file.read(HEAD)
    form = next((one for one in _FORMS if one.begins(head)), None)
    if form is None:
        raise InputError(
            f"The file is {stranger(head)}: no picture (PNG, JPEG, WebP, GIF, AVIF, BMP, TIFF),"
            " sound (WAV, FLAC, MP3, Ogg, M4A) or video (MP4, MOV, WebM, MKV). Give one of these."
        )
    told = form.check(file, size)
    fault = tail_fault(file, size, form.name)
    if fault:
        raise InputError(f"The {form.name} cannot be used: {fault}.")
    file.seek(0)
    media = Media(form.kind, form.name, form.mime_type, form.ending)
    if form.kind == "image":
        return _sized(media, told)
    return _timed(media, told)


def _sized(media: Media, told: tuple[float, ...]) -> Media:
    width, height = told
    return Media(media.kind, media.format, media.mime_type, media.ending, int(width), int(height))


def _timed(media: Media, told: tuple[float, ...]) -> Media:
    seconds = round(told[0], 3) if told else None
    return Media(media.kind, media.format, media.mime_type, media.ending, seconds=seconds)


def _starts(*signs: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signs)


def _riff(kind: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] in {b"RIFF", b"RF64"} and head[8:12] == kind


def _brand(*brands: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[4:8] == b"ftyp" and head[8:12] in brands


def _other_brand(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] not in films.NOT_FILMS


_FORMS: tuple[_Form, ...] = (
    _Form("image", "PNG", "image/png", "png", _starts(b"\x89PNG\r\n\x1a\n"), picture("PNG")),
    _Form("image", "JPEG", "image/jpeg", "jpg", _starts(b"\xff\xd8\xff"), picture("JPEG")),
    _Form("image", "WebP", "image/webp", "webp", _riff(b"WEBP"), picture("WEBP")),
    _Form("image", "GIF", "image/gif", "gif", _starts(b"GIF87a", b"GIF89a"), picture("GIF")),
    _Form("image", "AVIF", "image/avif", "avif", _brand(b"avif", b"avis"), picture("AVIF")),
    _Form("image", "BMP", "image/bmp", "bmp", _starts(b"BM"), picture("BMP")),
    _Form("image", "TIFF", "image/tiff", "tiff", _starts(b"II*\0", b"MM\0*"), picture("TIFF")),
    _Form("audio", "WAV", "audio/wav", "wav", _riff(b"WAVE"), sounds.wav),
    _Form("audio", "FLAC", "audio/flac", "flac", _starts(b"fLaC"), sounds.flac),
    _Form("audio", "Ogg Opus", "audio/ogg", "opus", sounds.is_opus, sounds.ogg),
    _Form("audio", "Ogg", "audio/ogg", "ogg", sounds.is_ogg, sounds.ogg),
    _Form("audio", "MP3", "audio/mpeg", "mp3", sounds.is_mp3, sounds.mp3),
    _Form("audio", "M4A", "audio/mp4", "m4a", _brand(b"M4A ", b"M4B "), films.mp4),
    _Form("video", "MOV", "video/quicktime", "mov", _brand(b"qt  "), films.mp4),
    _Form("video", "MP4", "video/mp4", "mp4", _other_brand, films.mp4),
    _Form("video", "WebM", "video/webm", "webm", films.is_webm, films.matroska),
    _Form("video", "MKV", "video/x-matroska", "mkv", films.is_mkv, films.matroska),
)
"""In the order in which they are tried."""
