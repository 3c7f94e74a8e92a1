"""What a picture is of: read from the words of a prompt, completed by the seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLORS", "Model", "Theme", "read_theme"]

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Model:
    """The invented model: how much *dusk* and *warmth* its light has, from 0 to about 1."""

    name: str
    dusk: float = 0.0
    warmth: float = 0.0


@dataclass(frozen=True, slots=True)
class Theme:
    """The *light*, the *place*, the *things* in it, and a *tint* that the words ask for."""

    light: str
    place: str
    things: frozenset[str]
    tint: Color | None
    seed: str


LIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "sunset": "sunset sundown evening golden twilight dusk romantic",
        "dawn": "dawn sunrise morning spring blossom pastel soft dreamy peaceful",
        "day": "day daylight sunny noon blue summer bright clear happy",
        "night": "night midnight dark moonlight moonlit stars starry cyberpunk neon",
        "storm": "storm stormy rain rainy thunder moody grey gray gloomy dramatic",
        "space": "space galaxy nebula cosmic cosmos universe planet alien scifi",
        "winter": "winter snow snowy ice frozen arctic cold glacier christmas",
        "autumn": "autumn fall october foliage",
    }
)
PLACES: Mapping[str, str] = MappingProxyType(
    {
        "sea": "sea ocean lake water river beach coast island waves shore harbor harbour ship boat",
        "mountains": "mountain mountains alps peak peaks rock cliff canyon fjord dragon castle",
        "forest": "forest tree trees wood woods pine jungle fox deer wolf bear owl cabin",
        "city": "city skyline street town building buildings tokyo york cyberpunk robot car",
        "desert": "desert dune dunes sand sahara egypt camel mars planet alien",
        "meadow": "meadow field flower flowers garden grass hill cat kitten dog house girl boy",
    }
)
THINGS: Mapping[str, str] = MappingProxyType(
    {
        "moon": "moon moonlight moonlit lunar",
        "stars": "stars starry star galaxy space",
        "clouds": "cloud clouds cloudy",
        "birds": "bird birds seagull seagulls crow crows",
        "boat": "boat ship sailing sail yacht",
        "cat": "cat kitten kitty",
        "house": "house cabin cottage home hut farm",
        "balloon": "balloon balloons",
        "lighthouse": "lighthouse",
        "aurora": "aurora northern lights",
        "rain": "rain rainy storm stormy",
        "snow": "snow snowy snowing blizzard winter christmas",
        "flowers": "flower flowers meadow garden blossom roses tulips lavender spring",
        "planet": "planet saturn alien",
    }
)
COLORS: Mapping[str, Color] = MappingProxyType(
    {
        "red": (214, 60, 56),
        "orange": (240, 140, 50),
        "yellow": (246, 208, 80),
        "gold": (232, 180, 70),
        "green": (70, 160, 90),
        "teal": (40, 150, 150),
        "cyan": (70, 190, 210),
        "turquoise": (60, 190, 180),
        "purple": (130, 80, 180),
        "violet": (140, 90, 200),
        "lavender": (170, 150, 220),
        "pink": (240, 140, 180),
        "neon": (220, 60, 200),
    }
)
BY_CHANCE = {
    "sunset": ("birds",),
    "day": ("clouds", "birds"),
    "dawn": ("clouds",),
    "night": ("moon",),
}


def read_theme(positive: str, negative: str, seed: str, model: Model) -> Theme:
    """The theme of a prompt; words of the *negative* one keep things out."""
    words, unwanted = _words(positive), _words(negative)
    choice = Random(" ".join(sorted(words)) or seed)  # noqa: S311 - a picture, not a secret
    light = _named(LIGHTS, words) or (
        "night" if model.dusk else choice.choice(("sunset", "dawn", "day"))
    )
    place = _named(PLACES, words - unwanted) or choice.choice(tuple(PLACES))
    things = {name for name, names in THINGS.items() if words & set(names.split())}
    things |= set(BY_CHANCE.get(light, ()))
    things -= {name for name, names in THINGS.items() if unwanted & set(names.split())}
    tint = next((color for name, color in COLORS.items() if name in words), None)
    return Theme(light, place, frozenset(things), tint, seed)


def _words(text: str) -> set[str]:
    """The words of a text, plurals also without their s."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return words | {word[:-1] for word in words if word.endswith("s")}


def _named(table: Mapping[str, str], words: set[str]) -> str | None:
    """The entry that most of the words speak of."""
    counts = {name: len(words & set(names.split())) for name, names in table.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None
