"""Where a file that is to be given to ComfyUI comes from, and base64 in bounds."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Self

from comfy_mcp.errors import InputError

__all__ = ["MOST_DATA", "SHOWN", "Data", "Former", "Local", "Source", "is_path", "source_of"]

MOST_DATA = 32 << 20
"""Bytes of a file that is given as base64: it is one message, and is held whole several times."""

MOST_CHARS = MOST_DATA * 4 // 3 + 4_096
"""Of a source: base64 of that, with line breaks or not."""

SHOWN = 200
"""Characters of a long source that rules, people and logs are shown."""

_URI = re.compile(r"comfy://", re.IGNORECASE)
_DATA = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{1,20})://", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]+={0,2}\s*")
_PATH_CHARS = 1_024
"""What is longer is no path."""


class Source(str):
    """What was said as *source*; one that is long reads as its beginning and its length.

    So neither rules nor logs nor requests to people hold megabytes; *whole* has all of it.
    """

    __slots__ = ("whole",)
    whole: str

    def __new__(cls, text: str) -> Self:
        """Of what a client sent.

        Raises:
            ValueError: it is longer than any source may be.
        """
        if len(text) > MOST_CHARS:
            raise ValueError(
                f"it has {len(text)} characters; base64 of a file of at most {MOST_DATA} bytes is"
                " taken. Give larger files by their path"
            )
        short = f"{text[:SHOWN]}... ({len(text)} characters)"
        source = super().__new__(cls, text if len(text) <= _PATH_CHARS else short)
        source.whole = text
        return source


@dataclass(frozen=True, slots=True)
class Data:
    """A file's bytes that came in the call itself."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Former:
    """An output of a job, by its *uri*."""

    uri: str


@dataclass(frozen=True, slots=True)
class Local:
    """A file of this machine."""

    path: str


def is_path(text: str) -> bool:
    """Whether *text* can only be a file of this machine; decodes nothing."""
    short = len(text) <= _PATH_CHARS and not _looks_encoded(text)
    return short and text[:5].lower() != "data:" and _SCHEME.match(text) is None


def source_of(text: str) -> Data | Former | Local:
    """What *text* means; decodes base64, so call it on a thread.

    Raises:
        InputError: it is an address of the network, or broken base64.
    """
    if _URI.match(text):
        return Former(text)
    header = _DATA.match(text[: SHOWN + 20])
    if header is not None:
        return Data(_decoded(text[header.end() :], header[1]))
    if text[:5].lower() == "data:":
        raise InputError(
            "That data: URL has no comma behind its type: write data:image/png;base64,..."
        )
    scheme = _SCHEME.match(text)
    if scheme is not None:
        raise InputError(
            f"Nothing is fetched from {scheme[1].lower()} addresses: give base64, a path of this"
            " machine within an opened folder, or the uri of an output."
        )
    if len(text) > _PATH_CHARS or (_looks_encoded(text)):
        return Data(_decoded(text, "base64"))
    return Local(text)


def _looks_encoded(text: str) -> bool:
    """Whether a short text is base64: all of its letters, and the beginning of a known file."""
    return len(text) >= 40 and text.startswith(_STARTS) and _BASE64.fullmatch(text) is not None  # noqa: PLR2004 - no file is shorter


_STARTS = (
    *("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk", "SUkq", "TU0A", "AAAA", "GkXf"),
    *("ZkxhQ", "SUQz", "T2dnU", "//v", "//P", "//L"),
)
"""Base64 of the first bytes of pictures and videos, then of sounds."""


def _decoded(text: str, header: str) -> bytes:
    if "base64" not in header.lower():
        raise InputError("Only base64 data: URLs are read: write data:image/png;base64,...")
    try:
        data = base64.b64decode(_bare(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(
            "That is no base64, or a part of it is missing, and no path either: send all of it,"
            " without quotation marks."
        ) from error
    if not data:
        raise InputError("The base64 is empty: give a file with something in it.")
    if len(data) > MOST_DATA:
        raise InputError(f"The file has more than {MOST_DATA} bytes: give it by its path.")
    return data


def _bare(text: str) -> bytes:
    """The letters alone, in the usual alphabet, padded."""
    raw = text.encode("ascii", "strict").translate(None, b" \t\r\n")
    if b"-" in raw or b"_" in raw:
        raw = raw.translate(bytes.maketrans(b"-_", b"+/"))
    return raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4)
