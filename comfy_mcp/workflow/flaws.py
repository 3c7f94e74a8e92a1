"""What is wrong with a workflow or its parameters, told in one message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from comfy_mcp.errors import WorkflowError

__all__ = [
    "MOST_FLAWS",
    "MOST_NAMES",
    "Flaw",
    "listed",
    "nearest",
    "refuse",
    "sentence",
    "shown",
    "told",
]

MOST_FLAWS = 5
MOST_NAMES = 20
_MOST_CHARS = 60


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong: *text* says what and the fix; node and input where there are such."""

    text: str
    node_id: str | None = None
    input_name: str | None = None


def refuse(flaws: Iterable[Flaw], heading: str = "The workflow cannot be sent") -> None:
    """Raise for the first few *flaws*; return if there are none.

    Raises:
        WorkflowError: there is a flaw; node and input are those of the first.
    """
    found = tuple(islice(flaws, MOST_FLAWS + 1))
    if found:
        raise told(found, heading)


def told(flaws: Sequence[Flaw], heading: str) -> WorkflowError:
    """The first few of *flaws*, of which there is at least one, as one error."""
    first, many = flaws[0], len(flaws)
    text = first.text
    if many > 1:
        lines = "".join(f"\n  - {flaw.text}" for flaw in flaws[:MOST_FLAWS])
        more = "\n  - and more." if many > MOST_FLAWS else ""
        text = f"{heading}, for these reasons:{lines}{more}"
    return WorkflowError(text, node_id=first.node_id, input_name=first.input_name)


def shown(text: str) -> str:
    """Somebody else's *text*, cut and with nothing in it that a terminal or a log would obey."""
    cut = text if len(text) <= _MOST_CHARS else text[: _MOST_CHARS - 3] + "..."
    return cut if cut.isprintable() else ascii(cut)[1:-1]


def sentence(text: str) -> str:
    """*text* with its full stop; a question has its mark already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def listed(names: Sequence[str]) -> str:
    """*names* in one line, at most twenty of them."""
    cut = ", ".join(shown(name) for name in names[:MOST_NAMES])
    rest = len(names) - MOST_NAMES
    return f"{cut} and {rest} more" if rest > 0 else cut


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The one of *known* that *name* was probably meant to be."""
    return next(iter(difflib.get_close_matches(name[:64], known, n=1)), None)
