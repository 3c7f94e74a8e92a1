"""The two Pillow methods whose types mention numpy, which is not a dependency, typed plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["mapped", "scaled"]

BYTES = range(256)


def scaled(
    picture: Image.Image,
    size: tuple[int, int],
    how: Image.Resampling = Image.Resampling.BICUBIC,
) -> Image.Image:
    """The picture in another size."""
    return picture.resize(size, how)  # pyright: ignore[reportUnknownMemberType]


def mapped(picture: Image.Image, tone: Callable[[int], float]) -> Image.Image:
    """Each band with every value, 0 to 255, replaced by its *tone*, cut to the same range."""
    table = [max(0, min(255, round(tone(value)))) for value in BYTES]
    bands = len(picture.getbands())
    return picture.point(table * bands)  # pyright: ignore[reportUnknownMemberType]
