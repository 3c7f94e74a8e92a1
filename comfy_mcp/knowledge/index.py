"""All node classes of a ComfyUI as words that lead to them; built once for each answer of it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from comfy_mcp.knowledge.kinds import gives, linked, needed, takes
from comfy_mcp.knowledge.words import squashed, stem, words
from comfy_mcp.workflow.schema import NodeSchema, Schemas

__all__ = ["Entry", "Index", "build"]

NAME, TITLE, ALIAS, CATEGORY, TEXT, PLUG = 10.0, 9.0, 7.0, 3.0, 2.5, 2.0
"""What a word is worth by where it stands; PLUG: in names and types of inputs and outputs."""

LONGEST_TEXT = 1_000
"""Characters of a description, or of anything else, that are looked at."""

MOST_ALIASES = 50
MOST_PLUGS = 500
"""Inputs, and outputs, that are looked at by name."""

MOST_PREFIXED = 60
LONGEST_NAME = 300

_ORIGINS = {"nodes": 0, "comfy_extras": 1, "comfy_api_nodes": 2}


@dataclass(frozen=True, slots=True)
class Entry:
    """A class with what it is compared by: *names* are its names and aliases, squashed.

    *takes*, *gives*, *linked* and *needed* are types, as ComfyUI writes them: *takes* are all
    that it takes, *linked* those that no widget stands for, *needed* those links that must be.
    """

    schema: NodeSchema
    names: tuple[str, ...]
    aliases: frozenset[str]
    category: tuple[str, ...]
    takes: frozenset[str]
    gives: frozenset[str]
    linked: frozenset[str]
    needed: frozenset[str]

    @property
    def origin(self) -> int:
        """0: one of ComfyUI's first nodes, 1 and 2: comes with it, 3: somebody else's."""
        return _ORIGINS.get(self.schema.module.split(".")[0], len(_ORIGINS))


@dataclass(frozen=True)
class Index:
    """*found* leads from a word to (number of the entry, worth of the word there)."""

    entries: tuple[Entry, ...]
    found: Mapping[str, Sequence[tuple[int, float]]]

    @cached_property
    def vocabulary(self) -> list[str]:
        """Every word, sorted."""
        return sorted(self.found)

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        """The entries by class."""
        return {entry.schema.class_type: entry for entry in self.entries}

    @cached_property
    def categories(self) -> Counter[str]:
        """How many classes each category has, those below it counted in; ``""`` is all."""
        return Counter(
            "/".join(entry.category[:depth])
            for entry in self.entries
            for depth in range(len(entry.category) + 1)
        )

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Every type that some class takes or gives."""
        return frozenset(kind for entry in self.entries for kind in entry.takes | entry.gives)

    def rarity(self, word: str) -> float:
        """How much *word* tells apart: that of many classes is worth little."""
        return math.log(1 + len(self.entries) / (1 + len(self.found.get(word, ()))))

    def beginning_with(self, start: str) -> list[str]:
        """Longer words of the vocabulary that begin so."""
        at = bisect_left(self.vocabulary, start)
        some = self.vocabulary[at : at + MOST_PREFIXED]
        return [word for word in some if word.startswith(start) and word != start]


def build(schemas: Schemas) -> Index:
    """The index of all classes; the same for the same classes, in whatever order."""
    entries = tuple(_entry(schemas[name]) for name in sorted(schemas))
    found: dict[str, list[tuple[int, float]]] = {}
    for number, entry in enumerate(entries):
        for word, worth in _worth(entry.schema).items():
            found.setdefault(word, []).append((number, worth))
    return Index(entries, found)


def _entry(schema: NodeSchema) -> Entry:
    return Entry(
        schema=schema,
        names=tuple(dict.fromkeys(map(_squashed, (schema.class_type, schema.display_name)))),
        aliases=frozenset(map(_squashed, schema.aliases[:MOST_ALIASES])),
        category=tuple(each for each in schema.category[:LONGEST_NAME].split("/") if each),
        takes=takes(schema),
        gives=gives(schema),
        linked=linked(schema),
        needed=needed(schema),
    )


def _worth(schema: NodeSchema) -> dict[str, float]:
    """The words that lead to *schema*, each with its best worth."""
    found: dict[str, float] = {}
    for worth, text in _texts(schema):
        for word in words(text[:LONGEST_TEXT]):
            found[word] = max(worth, found.get(word, 0.0))
    for kind in takes(schema) | gives(schema):
        found.setdefault(stem(kind[:LONGEST_NAME]), PLUG)
    return found


def _squashed(name: str) -> str:
    return squashed(name[:LONGEST_NAME])


def _texts(schema: NodeSchema) -> Iterator[tuple[float, str]]:
    yield NAME, schema.class_type
    yield TITLE, schema.display_name
    for alias in schema.aliases[:MOST_ALIASES]:
        yield ALIAS, alias
    yield CATEGORY, schema.category
    yield TEXT, schema.description
    for spec in schema.inputs[:MOST_PLUGS]:
        yield PLUG, spec.name
    for output in schema.outputs[:MOST_PLUGS]:
        yield PLUG, output.name
