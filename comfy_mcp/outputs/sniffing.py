"""What a file is by its first bytes, in words: for errors about files with a wrong name."""

from __future__ import annotations

__all__ = ["nature"]

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG"),
    (b"\xff\xd8\xff", "a JPEG"),
    (b"GIF8", "a GIF"),
    (b"RIFF", "a RIFF file (WebP, WAV or AVI)"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"fLaC", "a FLAC"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3"),
    (b"glTF", "a GLB"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)

_MARKUP = ((b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<svg", "SVG"), (b"<?xml", "XML"))


def nature(data: bytes) -> str:
    """`` (it begins like HTML)``, or nothing if the first bytes say nothing."""
    if not data:
        return " (it is empty)"
    found = _nature(data)
    return f" (it begins like {found})" if found else ""


def _nature(data: bytes) -> str | None:
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data[4:8] == b"ftyp":
        return "an MP4 or AVIF"
    text = data[:200].lstrip().lower()
    for start, name in _MARKUP:
        if text.startswith(start):
            return name
    return "JSON" if text[:1] in (b"{", b"[") else None
