"""Colours: what each light looks like, and how to mix."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from comfy_mcp.embedded.painter.theme import COLORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_mcp.embedded.painter.theme import Theme

__all__ = ["Color", "Tones", "mixed", "tones_of"]

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Tones:
    """The sky from top to horizon, the lamp in it, and land from far to near."""

    sky: tuple[Color, ...]
    lamp: Color
    far: Color
    near: Color
    bloom: tuple[Color, ...]
    bright: bool = True


WARM = ((255, 214, 110), (250, 150, 90), (240, 110, 130), (255, 240, 220))
COOL = ((170, 150, 230), (120, 160, 230), (240, 240, 255), (250, 170, 210))
TONES: Mapping[str, Tones] = MappingProxyType(
    {
        "sunset": Tones(
            ((40, 34, 92), (108, 56, 122), (206, 88, 106), (248, 146, 92), (255, 212, 138)),
            (255, 244, 206),
            (176, 92, 112),
            (34, 20, 44),
            WARM,
        ),
        "dawn": Tones(
            ((88, 128, 190), (160, 164, 212), (232, 190, 204), (255, 214, 186), (255, 238, 208)),
            (255, 250, 232),
            (168, 158, 196),
            (50, 60, 92),
            COOL,
        ),
        "day": Tones(
            ((28, 92, 180), (70, 146, 220), (134, 194, 238), (196, 226, 244), (236, 244, 244)),
            (255, 254, 240),
            (128, 164, 186),
            (30, 76, 56),
            WARM + COOL,
        ),
        "night": Tones(
            ((5, 7, 26), (11, 18, 52), (22, 36, 84), (40, 64, 116), (74, 104, 148)),
            (246, 244, 224),
            (44, 66, 108),
            (5, 8, 20),
            COOL,
            bright=False,
        ),
        "storm": Tones(
            ((36, 42, 56), (66, 76, 92), (104, 114, 126), (150, 156, 158), (198, 192, 176)),
            (240, 236, 220),
            (104, 112, 120),
            (22, 26, 34),
            COOL,
            bright=False,
        ),
        "space": Tones(
            ((4, 3, 16), (18, 8, 44), (48, 16, 84), (98, 34, 118), (190, 84, 140)),
            (255, 232, 214),
            (82, 40, 110),
            (10, 6, 26),
            COOL,
            bright=False,
        ),
        "winter": Tones(
            ((62, 96, 146), (118, 154, 194), (178, 204, 224), (222, 232, 238), (250, 240, 232)),
            (255, 252, 244),
            (170, 188, 210),
            (70, 92, 122),
            COOL,
        ),
        "autumn": Tones(
            ((74, 104, 150), (150, 160, 176), (226, 196, 160), (250, 208, 140), (255, 228, 176)),
            (255, 246, 214),
            (196, 142, 100),
            (92, 36, 24),
            WARM,
        ),
    }
)
TINTED = 0.34
GREEN = COLORS["green"]  # colours the land, not the sky


def mixed(one: Color, two: Color, part: float) -> Color:
    """Between *one* (part 0) and *two* (part 1)."""
    part = max(0.0, min(1.0, part))
    return (
        round(one[0] + (two[0] - one[0]) * part),
        round(one[1] + (two[1] - one[1]) * part),
        round(one[2] + (two[2] - one[2]) * part),
    )


def tones_of(theme: Theme) -> Tones:
    """The tones of a theme's light, moved towards its tint."""
    plain = TONES[theme.light]
    if theme.tint is None:
        return plain
    dark = mixed(theme.tint, (0, 0, 0), 0.7)
    in_sky = 0.0 if theme.tint == GREEN else TINTED * 1.4
    sky = tuple(
        mixed(each, mixed(dark, theme.tint, index / (len(plain.sky) - 1)), in_sky)
        for index, each in enumerate(plain.sky)
    )
    return Tones(
        sky,
        mixed(plain.lamp, theme.tint, 0.12),
        mixed(plain.far, theme.tint, TINTED),
        mixed(plain.near, dark, TINTED),
        (theme.tint, *plain.bloom),
        plain.bright,
    )
