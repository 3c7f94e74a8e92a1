"""Names and sentences as words that can be looked up: ``CLIPTextEncode`` is clip, text, encode."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import pairwise

__all__ = ["chunks", "corrected", "near", "parts", "squashed", "stem", "words"]

LONGEST = 60
"""Characters of a word; a longer one is nothing that anybody types."""

LONGEST_NAME = 200
"""Characters of a name that are compared."""

SHORTEST_STEM = 3

FEW_FAULTS, MANY_FAULTS = 4, 8
"""A word of so many letters may have one typing error, or two."""

NEAR_ENOUGH = 0.6

_CHUNK = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
_ENDINGS = ("ing", "ers", "er", "ed", "es", "s", "e")


def chunks(text: str) -> Iterator[str]:
    """What stands between blanks and signs."""
    return (found[0][:LONGEST] for found in _CHUNK.finditer(text))


def parts(chunk: str) -> list[str]:
    """The words that were written together in *chunk*, by their capital letters and digits."""
    return _PART.findall(chunk)


def words(text: str) -> Iterator[str]:
    """Every word that *text* may be found by: chunks, their parts, and two neighbours as one."""
    for chunk in chunks(text):
        yield stem(chunk)
        found = parts(chunk)
        if len(found) > 1:
            yield from map(stem, found)
            yield from (stem(one + two) for one, two in pairwise(found))


def stem(word: str) -> str:
    """*word* without what grammar puts at its end: sampler, sampling, samples are one word."""
    folded = word.casefold()
    if folded.endswith("ss"):
        return folded
    for ending in _ENDINGS:
        if folded.endswith(ending) and len(folded) - len(ending) >= SHORTEST_STEM:
            return folded[: -len(ending)]
    return folded


def squashed(text: str) -> str:
    """*text* without blanks, signs and case: as who remembers a name writes it."""
    return "".join(chunks(text)).casefold()


def corrected(word: str, known: Iterable[str]) -> dict[str, int]:
    """Words of *known* that *word* may be meant for, with how many typing errors lie between.

    Only those with the fewest errors. A swap of two neighbours is one error.
    """
    most = (len(word) >= FEW_FAULTS) + (len(word) >= MANY_FAULTS)
    found: dict[str, int] = {}
    for other in known if most else ():
        if abs(len(other) - len(word)) > most or not set(word[:2]) & set(other[:2]):
            continue
        errors = _distance(word, other, most)
        if errors < most:
            found, most = {other: errors}, errors
        elif errors == most:
            found[other] = errors
    return found


def near(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Those of *names* that are most like *name*: a part of it, or few letters apart."""
    wanted = squashed(name[:LONGEST_NAME])
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(wanted)
    graded = sorted(
        (-_likeness(wanted, squashed(each[:LONGEST_NAME]), matcher), each) for each in names
    )
    return [each for grade, each in graded[:most] if -grade >= NEAR_ENOUGH]


def _likeness(wanted: str, other: str, matcher: SequenceMatcher[str]) -> float:
    """From 0 to 1: what share of the letters are alike; more if one holds the other."""
    if not wanted or not other:
        return 0.0
    matcher.set_seq1(other)
    held = wanted in other or (len(other) > SHORTEST_STEM and other in wanted)
    quick = min(matcher.real_quick_ratio(), matcher.quick_ratio())
    if quick < NEAR_ENOUGH and not held:
        return 0.0
    share = matcher.ratio()
    return max(share, NEAR_ENOUGH + share / 4) if held else share


def _distance(one: str, two: str, most: int) -> int:
    """Typing errors between two words; anything above *most* once it is more than that."""
    before: list[int] = []
    last = list(range(len(two) + 1))
    for row, mine in enumerate(one, 1):
        line = [row]
        for column, theirs in enumerate(two, 1):
            cost = min(last[column] + 1, line[-1] + 1, last[column - 1] + (mine != theirs))
            swapped = row > 1 and column > 1 and mine == two[column - 2] and one[row - 2] == theirs
            line.append(min(cost, before[column - 2] + 1) if swapped else cost)
        if min(line) > most:
            return most + 1
        before, last = last, line
    return last[-1]
