"""What a file is that no node loads, in words; and files that are a second thing at their end."""

from __future__ import annotations

import struct
from typing import BinaryIO

__all__ = ["stranger", "tail_fault"]

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "a program for Windows"),
    (b"\x7fELF", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"#!", "a script"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "a Photoshop file"),
    (b"glTF", "a 3D model"),
    (b"SQLite format 3", "a database"),
)
_WORDS: tuple[tuple[str, str], ...] = (
    ("<!doctype html", "HTML"),
    ("<html", "HTML"),
    ("<head", "HTML"),
    ("<body", "HTML"),
    ("<script", "HTML"),
    ("<svg", "SVG"),
    ("<?php", "a PHP script"),
    ("<?xml", "XML (an SVG, perhaps)"),
    ("<", "markup"),
    ("{", "JSON"),
    ("[", "JSON"),
)

_IEND = b"IEND\xae\x42\x60\x82"
_ZIP_END = b"PK\x05\x06"
_TAIL = 65_557
"""Where a ZIP archive ends: its last record and the longest comment behind it."""


def stranger(head: bytes) -> str:
    """What begins like this, as far as it is known: ``HTML``, ``a program`` ..."""
    for start, words in _STARTS:
        if head.startswith(start):
            return words
    if head[4:8] == b"ftyp" and head[8:12] in {b"heic", b"heix", b"mif1", b"msf1", b"hevc"}:
        return "a HEIC picture, which ComfyUI does not read"
    text = head[:512].decode("utf-8", "replace").lstrip("\ufeff \t\r\n").lower()
    for begin, words in _WORDS:
        if text.startswith(begin):
            return words
    return "text" if text and "\0" not in text and "\ufffd" not in text else "of an unknown kind"


def tail_fault(file: BinaryIO, size: int, form: str) -> str:
    """A clause that says what else the file is; empty if it is one thing only.

    A picture with an archive or a page behind it is shown as a picture and run as the other.
    """
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    if _ends_as_zip(tail):
        return "a ZIP archive is hidden behind it"
    if form == "PNG" and not tail.endswith(_IEND):
        return "something follows the end of the picture"
    if form == "WebP":
        file.seek(4)
        (length,) = struct.unpack("<I", file.read(4))
        if length + 8 + (length & 1) < size:
            return "something follows the end of the picture"
    return ""


def _ends_as_zip(tail: bytes) -> bool:
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        if at + 22 <= len(tail):
            (comment,) = struct.unpack_from("<H", tail, at + 20)
            if at + 22 + comment == len(tail):
                return True
        at = tail.rfind(_ZIP_END, 0, at)
    return False
