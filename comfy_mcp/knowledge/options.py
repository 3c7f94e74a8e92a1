"""Long lists of names, as of models: those that have all the words that are looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from comfy_mcp.workflow.schema import Schemas

__all__ = ["loaders", "matching", "ranked"]

Name = TypeVar("Name")

MOST_WORDS = 12
MOST_LOADERS = 5


def matching(names: Iterable[Name], query: str) -> list[Name]:
    """Those of *names* that have each word of *query* in them, in their order; all without one."""
    asked = query.casefold().split()[:MOST_WORDS]
    if not asked:
        return list(names)
    return [name for name in names if all(word in str(name).casefold() for word in asked)]


def ranked(names: Iterable[str], query: str) -> list[str]:
    """Those of *names* that fit *query*: what a file itself is called counts before its folder."""
    asked = query.casefold().split()[:MOST_WORDS]

    def key(name: str) -> tuple[int, str, str]:
        folded = name.casefold()
        file = folded.replace("\\", "/").rpartition("/")[2]
        begins = bool(asked) and file.startswith(asked[0])
        inside = bool(asked) and all(word in file for word in asked)
        return (0 if begins and inside else 1 if inside else 2), folded, name

    return sorted(matching(names, query), key=key)


def loaders(schemas: Schemas, files: Collection[str]) -> list[str]:
    """The inputs, as ``Class.input``, that choose from exactly *files*; the first few."""
    wanted = frozenset(files)
    found = [
        f"{name}.{spec.name}"
        for name, schema in sorted(schemas.items())
        for spec in schema.inputs
        if wanted and spec.choices is not None and _chooses(spec.choices, wanted)
    ]
    return sorted(found, key=lambda one: (len(one), one))[:MOST_LOADERS]


def _chooses(choices: Collection[object], wanted: frozenset[str]) -> bool:
    # Counted first: most lists are of something else, and some have thousands of files.
    return (
        len(choices) == len(wanted)
        and wanted.issuperset(each for each in choices if isinstance(each, str))
        and all(isinstance(each, str) for each in choices)
    )
