"""Small helpers on pictures that several nodes need; a batch is a list of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from comfy_mcp.embedded.raster import scaled

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RESAMPLING", "SCALE_METHODS", "filled", "resized", "same_size"]

SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
RESAMPLING = {
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "bislerp": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def filled(width: int, height: int, color: int) -> Image.Image:
    """A picture of one *color*, 0xRRGGBB."""
    return Image.new("RGB", (width, height), (color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF))


def resized(
    picture: Image.Image, width: int, height: int, method: str, crop: str = "disabled"
) -> Image.Image:
    """The picture in another size; with *crop* "center" cut, not squeezed, to the new shape."""
    if picture.size == (width, height):
        return picture
    if crop == "center":
        return ImageOps.fit(picture, (width, height), RESAMPLING[method])
    return scaled(picture, (width, height), RESAMPLING[method])


def same_size(pictures: Iterable[Image.Image], like: Image.Image) -> list[Image.Image]:
    """The pictures in the size of *like*, cut in the middle where the shape differs."""
    return [resized(each, like.width, like.height, "bicubic", "center") for each in pictures]
