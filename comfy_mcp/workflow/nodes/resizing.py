"""Classes that change the size of pictures and latents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import (
    NOTHING,
    Amount,
    Factor,
    least,
    most,
    plus,
)
from comfy_mcp.workflow.nodes.fitting import (
    enlarged,
    fitted,
    sure,
    to_longest,
    to_shortest,
    with_pixels,
)
from comfy_mcp.workflow.nodes.flow import Flow, Opaque, Picture, largest, sized
from comfy_mcp.workflow.nodes.view import Rule, View

__all__ = ["RULES"]

_LATENT = 8
"""Pixels that one number of most latents stands for."""

_HALF = (
    *((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248)),
    *((880, 1184), (944, 1104), (1024, 1024)),
)
_KONTEXT = (*_HALF, *((wide, high) for high, wide in _HALF[:-1]))
"""The sizes that Flux Kontext likes."""


def _scaled_by(source: str, name: str, unit: int = 1) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        return None if picture is None else Flow(picture=enlarged(picture, view.real(name), unit))

    return rule


def _to(source: str, unit: int = 1) -> Rule:
    """To a width and a height, of which one or both may be 0: then the shape is kept."""

    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        sides = view.whole("width", NOTHING), view.whole("height", NOTHING)
        return Flow(picture=fitted(view, source, picture, sides, unit))

    return rule


def _cropped(source: str, floor: int = 0) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        wanted = [
            most(view.whole(name, side), Amount(floor))
            for name, side in (("width", picture.width), ("height", picture.height))
        ]
        sides = least(picture.width, wanted[0]), least(picture.height, wanted[1])
        ends = plus(wanted[0], view.whole("x", NOTHING)), plus(wanted[1], view.whole("y", NOTHING))
        inside = ends[0].n <= picture.width.n and ends[1].n <= picture.height.n
        exact = picture.exact and inside and sure(picture.width, picture.height, *ends)
        cut = picture.resized(*sides, exact=exact)
        return Flow(picture=replace(cut, pixels=least(picture.pixels, cut.pixels)))

    return rule


def _boxed(view: View) -> Flow | None:
    """A box from elsewhere cuts something off, nobody knows how much."""
    picture = view.picture("image")
    return None if picture is None else Flow(picture=replace(picture.made(), exact=False))


def _to_pixels(source: str, name: str, steps: str = "") -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        step = most(Amount(1), view.whole(steps)) if steps else Amount(1)
        return Flow(picture=with_pixels(view, source, picture, view.real(name), step))

    return rule


def _by_side(source: str, name: str, fit: Callable[..., Picture], *, down: bool = False) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        return Flow(picture=fit(view, source, picture, view.whole(name), down=down))

    return rule


def _padded(view: View) -> Flow | None:
    picture = view.picture("image")
    if picture is None:
        return None
    width = plus(picture.width, view.whole("left", NOTHING), view.whole("right", NOTHING))
    height = plus(picture.height, view.whole("top", NOTHING), view.whole("bottom", NOTHING))
    return Flow(picture=picture.resized(width, height, exact=picture.exact and sure(width, height)))


def _turned(source: str) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        if picture is None:
            return None
        rotation = view.text("rotation")
        if isinstance(rotation, Opaque):
            side = most(picture.width, picture.height)
            return Flow(
                picture=replace(picture.resized(side, side, exact=False), pixels=picture.pixels)
            )
        if rotation.startswith(("90", "270")):
            turned = picture.resized(picture.height, picture.width, exact=picture.exact)
            picture = replace(turned, pixels=picture.pixels)
        return Flow(picture=picture.made())

    return rule


def _kontext(view: View) -> Flow | None:
    """One of a list of sizes, whichever has nearly the picture's shape."""
    picture = view.picture("image")
    if picture is None:
        return None
    if picture.exact and sure(picture.width, picture.height) and picture.height.n:
        shape = picture.width.n / picture.height.n
        width, height = min(_KONTEXT, key=lambda size: abs(shape - size[0] / size[1]))
        return Flow(picture=picture.resized(Amount(width), Amount(height)))
    side, pixels = Amount(_KONTEXT[0][1]), Amount(max(wide * high for wide, high in _KONTEXT))
    return Flow(picture=replace(picture.resized(side, side, exact=False), pixels=pixels))


def _dynamic(view: View) -> Flow | None:
    """``ResizeImageMaskNode``: how is chosen in ``resize_type``, by what stands below it."""
    picture = view.picture("input")
    if picture is None:
        return None
    how = view.text("resize_type")
    if not isinstance(how, Opaque) and how in _HOW:
        return Flow(picture=_HOW[how](view, picture))
    options = [resize(view, picture) for resize in _HOW.values()]
    unsure = view.unknown("resize_type", "chooses how to resize, and the choice cannot be foreseen")
    bound = largest(options) or picture
    sides = Amount(bound.width.n, unsure), Amount(bound.height.n, unsure)
    return Flow(picture=bound.resized(*sides, exact=False))


def _below(name: str) -> str:
    return f"resize_type.{name}"


def _matched(view: View, picture: Picture) -> Picture:
    match = view.picture(_below("match"))
    return (
        picture.made()
        if match is None
        else picture.resized(match.width, match.height, exact=match.exact)
    )


def _dimensions(view: View, picture: Picture) -> Picture:
    sides = view.whole(_below("width"), NOTHING), view.whole(_below("height"), NOTHING)
    return fitted(view, "input", picture, sides)


_HOW: dict[str, Callable[[View, Picture], Picture]] = {
    "scale by multiplier": lambda view, picture: enlarged(picture, view.real(_below("multiplier"))),
    "scale dimensions": _dimensions,
    "scale width": _dimensions,
    "scale height": _dimensions,
    "scale longer dimension": lambda view, picture: to_longest(
        view, "input", picture, view.whole(_below("longer_size"))
    ),
    "scale shorter dimension": lambda view, picture: to_shortest(
        view, "input", picture, view.whole(_below("shorter_size"))
    ),
    "scale total pixels": lambda view, picture: with_pixels(
        view, "input", picture, view.real(_below("megapixels"))
    ),
    "match size": _matched,
    "scale to multiple": lambda _view, picture: replace(picture.made(), exact=False),
}


def _square(name: str) -> Rule:
    def rule(view: View) -> Flow:
        side = view.whole(name, NOTHING)
        batch = [each.batch for each in view.pictures()]
        return Flow(picture=sized(side, side, most(Amount(1), *batch)))

    return rule


def _resized_to(source: str, width: str, height: str) -> Rule:
    def rule(view: View) -> Flow | None:
        picture = view.picture(source)
        sides = view.whole(width, NOTHING), view.whole(height, NOTHING)
        return (
            None if picture is None else Flow(picture=picture.resized(*sides, exact=sure(*sides)))
        )

    return rule


def _super_resolved(view: View) -> Flow | None:
    """The latents of the second stage stand for twice the size."""
    picture = view.picture("image")
    return None if picture is None else Flow(picture=enlarged(picture, Factor(2.0)))


RULES: dict[str, Rule] = {
    "BakeAmbientOcclusion": _square("resolution"),
    "BakeNormalMapFromMesh": _square("resolution"),
    "BakeTextureFromVoxel": _square("texture_size"),
    "CenterCropImages": _cropped("images"),
    "CropByBBoxes": _resized_to("image", "output_width", "output_height"),
    "CropMask": _cropped("mask"),
    "FluxKontextImageScale": _kontext,
    "HunyuanVideo15LatentUpscaleWithModel": _to("samples", 2 * _LATENT),
    "ImageCrop": _cropped("image"),
    "ImageCropToMask": _resized_to("images", "width", "height"),
    "ImageCropV2": _boxed,
    "ImagePadForOutpaint": _padded,
    "ImageRotate": _turned("image"),
    "ImageScale": _to("image"),
    "ImageScaleBy": _scaled_by("image", "scale_by"),
    "ImageScaleToMaxDimension": _by_side("image", "largest_size", to_longest),
    "ImageScaleToTotalPixels": _to_pixels("image", "megapixels", "resolution_steps"),
    "LatentCrop": _cropped("samples", floor=_LATENT * 8),
    "LatentRotate": _turned("samples"),
    "LatentUpscale": _to("samples", _LATENT),
    "LatentUpscaleBy": _scaled_by("samples", "scale_by", _LATENT),
    "RandomCropImages": _cropped("images"),
    "RenderUVAtlas": _square("resolution"),
    "ResizeAndPadImage": _resized_to("image", "target_width", "target_height"),
    "ResizeImageMaskNode": _dynamic,
    "ResizeImagesByLongerEdge": _by_side("images", "longer_edge", to_longest, down=True),
    "ResizeImagesByShorterEdge": _by_side("images", "shorter_edge", to_shortest, down=True),
    "SD_4XUpscale_Conditioning": _scaled_by("images", "scale_ratio"),
    "StableCascade_SuperResolutionControlnet": _super_resolved,
    "TripoSplatPreprocessImage": _square("size"),
}
