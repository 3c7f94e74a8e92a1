"""Ranked search among node classes: pure, and the same for the same question.

The name itself comes first, then what begins with it, then what has most of the words, rare words
counting most. A word that nobody uses is taken for a typing error.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice

from comfy_mcp.knowledge.index import Entry, Index
from comfy_mcp.knowledge.kinds import ANY
from comfy_mcp.knowledge.words import chunks, corrected, parts, squashed, stem
from comfy_mcp.workflow.schema import NodeSchema

__all__ = ["Found", "Query", "search"]

MOST_WORDS = 12
FEW_WORDS = 2
"""So few have to be there all, if any class has all of them."""

EXACT, EXACT_ALIAS, BEGINS, HOLDS = 1_000.0, 300.0, 200.0, 50.0
"""What a name adds that is, begins with, or holds all that was asked for, in this order."""

SHORT = 4
"""Letters; so few stand inside many names by chance."""

BEGINNING, SAME, MISTYPED = 0.5, 0.7, 0.4
"""What is left of a word's worth if it only begins so, means the same, or was meant."""

DEPRECATED, EXPERIMENTAL, PARTNER = 0.4, 0.9, 0.7
"""What is left of a class's worth."""

WIDGET, PASSES, ANYTHING = 0.5, 0.4, 0.2
"""What is left of a type's fit if it comes by a widget, is only passed on, or is any type."""

_IDLE = frozenset(map(stem, (
    *("a", "all", "an", "and", "as", "by", "for", "from", "how", "i", "in", "into", "is", "it"),
    *("me", "my", "node", "of", "on", "or", "that", "the", "to"),
)))  # fmt: skip
"""Words that say nothing about a node."""

_MEANS = {stem(word): stem(other) for word, other in (
    ("picture", "image"), ("photo", "image"), ("pic", "image"), ("img", "image"),
    ("movie", "video"), ("film", "video"), ("sound", "audio"), ("music", "audio"),
    ("ckpt", "checkpoint"), ("enlarge", "upscale"), ("bigger", "upscale"),
)}  # fmt: skip
"""Words that people use for what ComfyUI calls otherwise."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, and what must hold; empty: everything."""

    text: str = ""
    category: str = ""
    takes: str = ""
    gives: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """All that fit, best first; *meant* has words that were taken for typing errors."""

    entries: tuple[Entry, ...]
    meant: Mapping[str, str]


def search(index: Index, query: Query, allowed: Callable[[NodeSchema], bool]) -> Found:
    """The classes that fit *query*; what is not *allowed* comes last.

    A type that nobody has is a typing error: what takes or gives anything does not fit it.
    """
    known = {kind.casefold() for kind in index.kinds}
    if any(kind and kind.casefold() not in known for kind in (query.takes, query.gives)):
        return Found((), {})
    fits = {
        number: factor
        for number, entry in enumerate(index.entries)
        if (factor := _fit(entry, query)) > 0
    }
    meant: dict[str, str] = {}
    asked = bool(query.text.strip())
    scores = _scores(index, query.text, fits, meant) if asked else dict.fromkeys(fits, 1.0)
    ranked = sorted(
        (_key(index.entries[number], scores[number] * factor, allowed), number)
        for number, factor in fits.items()
        if number in scores
    )
    return Found(tuple(index.entries[number] for _, number in ranked), meant)


def _key(
    entry: Entry, score: float, allowed: Callable[[NodeSchema], bool]
) -> tuple[bool, float, int, str, int, str]:
    schema = entry.schema
    for told, factor in (
        (schema.deprecated, DEPRECATED),
        (schema.experimental, EXPERIMENTAL),
        (schema.api_node, PARTNER),
    ):
        score *= factor if told else 1.0
    name = schema.class_type
    # Rounded: which of two sums was added up first must not decide.
    return (
        not allowed(schema),
        -round(score, 6),
        entry.origin,
        schema.category,
        len(name),
        name,
    )


def _fit(entry: Entry, query: Query) -> float:
    """0 if something that must hold does not; less than 1 if it holds for anything."""
    if query.category and not _is_below(entry.category, query.category):
        return 0.0
    given, taken = _has(entry.gives, query.gives), _has(entry.linked, query.takes)
    both = query.takes and query.gives and query.takes.casefold() != query.gives.casefold()
    passes = bool(both and _has(entry.needed - {ANY}, query.gives))
    if taken < 1 and _has(entry.takes, query.takes) == 1:
        # A setting of what passes the other type on makes nothing of it.
        taken = max(taken, 0.0 if passes else WIDGET)
    return taken * given * (PASSES if passes else 1.0)


def _is_below(category: tuple[str, ...], wanted: str) -> bool:
    asked = [part.strip().casefold() for part in wanted.split("/") if part.strip()]
    return [part.casefold() for part in category[: len(asked)]] == asked


def _has(kinds: frozenset[str], wanted: str) -> float:
    if not wanted or wanted in kinds:
        return 1.0
    folded = wanted.casefold()
    if any(kind.casefold() == folded for kind in kinds):
        return 1.0
    return ANYTHING if ANY in kinds else 0.0


def _scores(
    index: Index, text: str, among: Collection[int], meant: dict[str, str]
) -> dict[int, float]:
    """What each entry *among* those numbers is worth that has most of the words, by number."""
    terms = list(dict.fromkeys(islice(_terms(index, text), MOST_WORDS)))
    scores: dict[int, float] = {}
    hits: dict[int, int] = {}
    for term in terms:
        for number, worth in _of_term(index, term, meant).items():
            if number not in among:
                continue
            scores[number] = scores.get(number, 0.0) + worth
            hits[number] = hits.get(number, 0) + 1
    # Who has most of the words makes those who have few of them noise.
    least = max(hits.values(), default=0) - (len(terms) > FEW_WORDS)
    scores = {number: score for number, score in scores.items() if hits[number] >= least}
    whole = squashed(text)
    for number in scores:
        share = hits[number] / len(terms)
        scores[number] = scores[number] * share * share + _as_a_whole(index.entries[number], whole)
    return scores


def _terms(index: Index, text: str) -> list[str]:
    """The words that are looked for; one that nobody uses is taken apart if that can be done."""
    found: list[str] = []
    for chunk in chunks(text):
        word = stem(chunk)
        inner = [stem(each) for each in parts(chunk)]
        whole = len(inner) == 1 or word in index.found or index.beginning_with(word)
        found += [word] if whole or corrected(word, index.vocabulary) else inner
    return [word for word in found if word not in _IDLE] or found


def _of_term(index: Index, term: str, meant: dict[str, str]) -> dict[int, float]:
    found: dict[int, float] = {}

    def add(word: str, factor: float) -> None:
        rarity = index.rarity(word) * factor
        for number, worth in index.found.get(word, ()):
            found[number] = max(worth * rarity, found.get(number, 0.0))

    add(term, 1.0)
    add(_MEANS.get(term, term), SAME)
    for word in index.beginning_with(term) if len(term) > 1 else ():
        add(word, BEGINNING)
    if not found:
        guesses = corrected(term, index.vocabulary)
        for word in guesses:
            add(word, MISTYPED)
        if guesses:
            meant[term] = max(guesses, key=lambda word: (len(index.found[word]), word))
    return found


def _as_a_whole(entry: Entry, whole: str) -> float:
    if whole in entry.names:
        return EXACT
    if whole in entry.aliases:
        return EXACT_ALIAS
    if any(name.startswith(whole) for name in entry.names):
        return BEGINS
    return HOLDS if len(whole) > SHORT and any(whole in name for name in entry.names) else 0.0
