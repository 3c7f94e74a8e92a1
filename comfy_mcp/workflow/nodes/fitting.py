"""Sizes in a shape: what becomes of one side when the other is given."""

from __future__ import annotations

import math
from dataclasses import replace

from comfy_mcp.workflow.nodes.amounts import ONE, Amount, Factor, most, times
from comfy_mcp.workflow.nodes.flow import Picture
from comfy_mcp.workflow.nodes.view import View

__all__ = ["enlarged", "fitted", "proportional", "sure", "to_longest", "to_shortest", "with_pixels"]

_NO_SHAPE = "has a shape that cannot be foreseen"
_MEBI = 1024 * 1024
_SMALLEST_LATENT = 64


def sure(*amounts: Amount) -> bool:
    """Whether all of them are known."""
    return all(each.unknown is None for each in amounts)


def enlarged(picture: Picture, factor: Factor, unit: int = 1) -> Picture:
    """*picture* with both sides times *factor*."""
    return replace(
        picture.resized(factor.of(picture.width, unit), factor.of(picture.height, unit)),
        pixels=times(factor.of(picture.width, unit), factor.of(picture.height, unit))
        if picture.exact
        else factor.of(factor.of(picture.pixels)),
        exact=picture.exact and factor.unknown is None,
    )


def fitted(
    view: View, source: str, picture: Picture, sides: tuple[Amount, Amount], unit: int = 1
) -> Picture:
    """*picture* in a width and a height, of which one or both may be 0: then the shape is kept.

    With a *unit*, it is a latent in steps of so many pixels.
    """
    width, height = sides
    if _none(width) and _none(height):
        return picture.made()
    smallest = Amount(1 if unit == 1 else _SMALLEST_LATENT)
    if _none(width):
        height = most(height, smallest)
        width = proportional(view, source, picture, height, (picture.width, picture.height))
    elif _none(height):
        width = most(width, smallest)
        height = proportional(view, source, picture, width, (picture.height, picture.width))
    width, height = (_stepped(most(side, smallest), unit) for side in (width, height))
    return picture.resized(width, height, exact=sure(width, height))


def _none(side: Amount) -> bool:
    return side.n == 0 and side.unknown is None


def _stepped(side: Amount, unit: int) -> Amount:
    return Amount(side.n // unit * unit, side.unknown)


def proportional(
    view: View,
    source: str,
    picture: Picture,
    given: Amount,
    sides: tuple[Amount, Amount],
    *,
    down: bool = False,
) -> Amount:
    """What goes with *given* where the same sides of *picture* are *sides*, the wanted one first.

    Of a bound there is no shape: the other side may then be anything. *down*: cut, not rounded.
    """
    along, across = sides
    unknown = given.unknown or along.unknown or across.unknown
    if unknown is None and (not picture.exact or not across.n):
        unknown = view.unknown(source, _NO_SHAPE)
    if unknown is not None:
        return Amount(0, unknown)
    if down:
        return Amount.of(math.floor(along.n * (given.n / across.n)))
    return Amount.of(given.n * along.n / across.n)


def with_pixels(
    view: View, source: str, picture: Picture, megapixels: Factor, step: Amount = ONE
) -> Picture:
    """*picture* with so many mebipixels, its sides multiples of *step*."""
    total = megapixels.of(Amount(_MEBI))
    known = picture.exact and picture.width.n and picture.height.n
    if known and sure(picture.width, picture.height, total, step):
        by = math.sqrt(total.n / (picture.width.n * picture.height.n))
        return enlarged(picture, Factor(by), step.n)
    # Without the shape only the area is known; a side may be as long as it likes.
    unknown = picture.width.unknown or picture.height.unknown or total.unknown or step.unknown
    side = Amount(0, unknown or view.unknown(source, _NO_SHAPE))
    area = total if step == ONE else Amount(total.n, side.unknown)
    return replace(picture.resized(side, side, exact=False), pixels=area)


def to_longest(
    view: View, source: str, picture: Picture, side: Amount, *, down: bool = False
) -> Picture:
    """*picture* with *side* as its longer side."""
    if not picture.exact or not sure(picture.width, picture.height):
        return picture.resized(side, side, exact=False)
    wide = picture.width.n >= picture.height.n
    other = proportional(view, source, picture, side, _order(picture, wide=wide), down=down)
    return picture.resized(*((side, other) if wide else (other, side)), exact=sure(side))


def to_shortest(
    view: View, source: str, picture: Picture, side: Amount, *, down: bool = False
) -> Picture:
    """*picture* with *side* as its shorter side."""
    wide = picture.width.n >= picture.height.n
    other = proportional(view, source, picture, side, _order(picture, wide=not wide), down=down)
    if not sure(other):
        return picture.resized(other, other, exact=False)
    return picture.resized(*((other, side) if wide else (side, other)), exact=sure(side))


def _order(picture: Picture, *, wide: bool) -> tuple[Amount, Amount]:
    return (picture.height, picture.width) if wide else (picture.width, picture.height)
