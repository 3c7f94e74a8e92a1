"""The words of ``gpu`` blocks: which are in force, and because of which key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from comfy_mcp.guard.policy import Gpu

__all__ = ["Word", "Words", "words_in_force"]


class Word(NamedTuple):
    """A word and the JSON Pointer of the key that says it, whether or not it is written there."""

    value: str
    rule: str


@dataclass(frozen=True, slots=True)
class Words:
    """All words of ``gpu``."""

    ownership: Word
    api_nodes: Word
    queue_jump: Word
    global_interrupt: Word
    undetermined: Word


KEYS = ("ownership", "api_nodes", "queue_jump", "global_interrupt", "undetermined")
STRENGTH = {"any": 0, "own": 1, "allow": 0, "approve": 1, "deny": 2}


def words_in_force(files: Iterable[Gpu], grants: Iterable[Gpu]) -> Words:
    """The strictest that files say, the default where none says anything; grants only tighten."""
    spoken, tighter = tuple(files), tuple(grants)
    return Words(**{key: _word(key, spoken, tighter) for key in KEYS})


def _word(key: str, files: tuple[Gpu, ...], grants: tuple[Gpu, ...]) -> Word:
    default = Word("own" if key == "ownership" else "deny", f"/gpu/{key}")
    base = _strictest(_said(key, files)) or default
    own = _strictest(_said(key, grants))
    return own if own and STRENGTH[own.value] > STRENGTH[base.value] else base


def _said(key: str, blocks: tuple[Gpu, ...]) -> list[Word]:
    said = [(getattr(block, key), block.pointer(key)) for block in blocks]
    return [Word(value, rule) for value, rule in said if value is not None]


def _strictest(said: list[Word]) -> Word | None:
    return min(said, key=lambda word: (-STRENGTH[word.value], word.rule), default=None)
