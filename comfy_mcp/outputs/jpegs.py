"""Writing JPEGs so that the rest of the server goes on meanwhile."""

from __future__ import annotations

import io
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["as_jpeg"]


def as_jpeg(picture: Image.Image, **options: Any) -> bytes:
    """*picture* as a JPEG; *options* are Pillow's. Encodes: call it on a thread.

    Written to memory, an optimized or progressive JPEG is encoded in one step that holds Python's
    lock: seconds, for a large one. For a file of the system, Pillow lets go of the lock.

    Raises:
        OSError: it cannot be encoded.
        ValueError: the options do not fit it.
    """
    try:
        with tempfile.TemporaryFile() as file:
            picture.save(file, "JPEG", **options)
            file.seek(0)
            return file.read()
    except OSError:
        # There may be no room for such a file: then in memory, and others wait.
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", **options)
        return buffer.getvalue()
