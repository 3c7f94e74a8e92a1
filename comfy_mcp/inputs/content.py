"""The bytes of a file to be given away, frozen: nobody can swap them after they were judged."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from comfy_mcp.errors import InputError

__all__ = ["IN_MEMORY", "Content", "held"]

IN_MEMORY = 8 << 20
"""Bytes up to which a file is kept in memory; what is larger becomes a file without a name."""

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Content:
    """*file* has *size* bytes whose SHA-256 is *sha256*, in hex; it may stand anywhere in them."""

    file: BinaryIO
    size: int
    sha256: str

    def whole(self) -> bytes:
        """All of it at once."""
        self.file.seek(0)
        return self.file.read()


@contextmanager
def held(source: BinaryIO, *, most: int) -> Generator[Content]:
    """All of *source* as it is now, if that is at most *most* bytes; call it on a thread.

    Raises:
        InputError: it is empty or too large.
    """
    summed, size = hashlib.sha256(), 0
    kept: BinaryIO = io.BytesIO()
    try:
        while part := source.read(_CHUNK):
            size += len(part)
            if size > most:
                raise InputError(f"The file has more than {most} bytes, the most that is sent.")
            if size > IN_MEMORY and isinstance(kept, io.BytesIO):
                kept = _on_disk(kept)
            summed.update(part)
            kept.write(part)
        if not size:
            raise InputError("The file is empty: give one with something in it.")
        kept.seek(0)
        yield Content(kept, size, summed.hexdigest())
    finally:
        kept.close()


def _on_disk(begun: io.BytesIO) -> BinaryIO:
    file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - `held` closes it
    file.write(begun.getbuffer())
    return file
