"""Many workflows in a short answer: found by words, best first, page by page. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import Source

__all__ = ["Entry", "ListedWorkflow", "WorkflowPage", "page_of", "ranked"]

_WORD = re.compile(r"[^\W_]+")

_ORDER = {source: place for place, source in enumerate(Source)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One workflow in a line; *parameters* as far as they are known without asking ComfyUI.

    *place* is where it stands among those of its source: ComfyUI's index has popular ones first.
    """

    name: str
    source: Source
    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[str, ...] | None = None
    place: int = 0


class ListedWorkflow(BaseModel):
    """One workflow in a line."""

    model_config = ConfigDict(frozen=True)

    name: str
    source: Source
    title: str | None = None
    description: str | None = None
    parameters: Annotated[list[str] | None, Field(description="As far as known")] = None


class WorkflowPage(BaseModel):
    """Some workflows, best match first."""

    model_config = ConfigDict(frozen=True)

    workflows: list[ListedWorkflow]
    total: int
    next_cursor: Annotated[str | None, Field(description="More: ask again with it")] = None
    warnings: list[str] = []


def ranked(entries: Iterable[Entry], query: str) -> list[Entry]:
    """The entries that have every word of *query* somewhere, best first; all without a query.

    A word counts most in the name, then in the title, the tags and the description; a whole word
    more than a part of one.
    """
    words = [word.casefold() for word in _WORD.findall(query)][:MOST_WORDS]
    scored = ((_score(entry, words), entry) for entry in entries)
    found = [(score, entry) for score, entry in scored if score is not None]
    found.sort(key=lambda each: (-each[0], _ORDER[each[1].source], each[1].place, each[1].name))
    return [entry for _, entry in found]


MOST_WORDS = 12
_WEIGHTS = (8, 5, 3, 1)


def _score(entry: Entry, words: Sequence[str]) -> int | None:
    texts = (entry.name, entry.title, " ".join(entry.tags), entry.description)
    folded = [text.casefold() for text in texts]
    whole = [frozenset(_WORD.findall(text)) for text in folded]
    total = 0
    for word in words:
        best = max(
            weight * (2 if word in own else 1) if word in text else 0
            for weight, text, own in zip(_WEIGHTS, folded, whole, strict=True)
        )
        if not best:
            return None
        total += best
    return total


def page_of(
    entries: Sequence[Entry], *, limit: int, cursor: str | None, warnings: Sequence[str] = ()
) -> WorkflowPage:
    """At most *limit* of *entries* after the one that *cursor* names, in as many as fit an answer.

    Raises:
        WorkflowError: *cursor* was not made here, or its workflow is not listed any more.
    """
    first = 0 if cursor is None else _after(entries, cursor)
    rows: list[ListedWorkflow] = []
    size = 0
    for entry in islice(entries, first, first + limit):
        row = _row(entry)
        size += len(row.model_dump_json(exclude_none=True))
        if rows and size > MOST_CHARS:
            break
        rows.append(row)
    last = first + len(rows)
    more = last < len(entries) and rows
    return WorkflowPage(
        workflows=rows,
        total=len(entries),
        next_cursor=_cursor(rows[-1].name) if more else None,
        warnings=list(warnings),
    )


MOST_CHARS = 16_000
_MOST_LINE = 160
_MOST_PARAMETERS = 15


def _row(entry: Entry) -> ListedWorkflow:
    known = entry.parameters
    return ListedWorkflow(
        name=entry.name,
        source=entry.source,
        title=entry.title if entry.title and entry.title not in entry.name else None,
        description=_line(entry.description) or None,
        parameters=None if known is None else [*known[:_MOST_PARAMETERS], *_rest(known)],
    )


def _rest(known: Sequence[str]) -> list[str]:
    return ["..."] if len(known) > _MOST_PARAMETERS else []


def _line(text: str) -> str:
    """*text* in one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_LINE else f"{line[: _MOST_LINE - 3]}..."


def _cursor(name: str) -> str:
    """Where a page ends, in few characters however long the name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _after(entries: Sequence[Entry], cursor: str) -> int:
    for at, entry in enumerate(entries):
        if _cursor(entry.name) == cursor:
            return at + 1
    raise WorkflowError(
        "This cursor belongs to another list, or the list has changed: ask without it."
    )
