"""The body of a request that is sent once: how much of it the other side can have."""

from __future__ import annotations

import io

__all__ = ["Handed"]


class Handed(io.BytesIO):
    """A body that knows whether the last of it was handed over for sending."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._size = len(content)
        self._read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Hand over the next part."""
        part = super().read(size)
        self._read += len(part)
        return part

    @property
    def wholly(self) -> bool:
        """Whether the other side can have all of it; before, it can make nothing of it."""
        return self._read >= self._size
