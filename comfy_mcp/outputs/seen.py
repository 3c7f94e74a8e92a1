"""What looking at an output brings: facts for the model, and pictures for its eye."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST_FRAMES", "SOME_FRAMES", "Frame", "Seen", "Wanted", "spread"]

MOST_FRAMES = 16
"""Pictures on one sheet."""

SOME_FRAMES = 4
"""Frames of what moves, if nobody says how many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to look: at most *side* pixels; *frames* of what moves, or the one *at* seconds.

    *offset*: of a text, the character to begin at. *pictures*: whether any are wanted at all.
    """

    side: int = 512
    frames: int = SOME_FRAMES
    at: float | None = None
    offset: int = 0
    pictures: bool = True


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, RGB and small; *label* is written below it where there are several."""

    picture: Image.Image
    label: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """*facts* are JSON values."""

    facts: dict[str, object] = field(default_factory=dict[str, object])
    frames: tuple[Frame, ...] = ()


def spread(count: int, of: int) -> list[int]:
    """*count* numbers from 0 to *of* - 1, first and last among them, evenly; at most *of*."""
    if count >= of:
        return list(range(of))
    if count == 1:
        return [0]
    return [round(place * (of - 1) / (count - 1)) for place in range(count)]
