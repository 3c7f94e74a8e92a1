"""Ids of jobs in two worlds: ours, and those of a ComfyUI that gives jobs ids of its own.

ComfyUI before 0.3.45 ignores the prompt_id a client chose. Our id then travels in ``extra_data``,
which comes back in /queue and /history, so that a job is found even if the answer to its submit
was lost.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any, cast

__all__ = ["TAG", "Aliases", "tag", "tagged"]

TAG = "comfy_mcp_guard"
"""The key of our id in extra_data."""

MOST = 20_000
"""Pairs; more jobs than a ComfyUI remembers (10,000). The journal can teach an old one again."""


def tag(prompt_id: str) -> dict[str, Any]:
    """What goes into ``extra_data`` so that a job can be known again."""
    return {TAG: {"prompt_id": prompt_id}}


def tagged(extra_data: object) -> str | None:
    """The id that *extra_data* carries for us, None if it carries none."""
    if not isinstance(extra_data, Mapping):
        return None
    note = cast("Mapping[str, Any]", extra_data).get(TAG)
    if not isinstance(note, Mapping):
        return None
    prompt_id = cast("Mapping[str, Any]", note).get("prompt_id")
    return prompt_id if isinstance(prompt_id, str) else None


class Aliases:
    """Pairs of ids, each id in at most one pair; the oldest pair goes when there are too many."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._theirs: OrderedDict[str, str] = OrderedDict()
        self._ours: dict[str, str] = {}

    def learn(self, ours: str, theirs: str) -> None:
        """Note that ComfyUI calls our job *theirs*, as its own answer (or the journal) said."""
        self._forget(self._ours.get(theirs))
        self._forget(ours)
        if ours != theirs:
            self._theirs[ours] = theirs
            self._ours[theirs] = ours
        if len(self._theirs) > self._most:
            self._forget(next(iter(self._theirs)))

    def recognise(self, theirs: str, extra_data: object) -> str:
        """What we call a job that was met, learning it from its tag if both ids are new.

        Anybody can copy a tag: it never takes the place of a pair that is known.
        """
        ours = tagged(extra_data)
        new = ours is not None and ours not in self._theirs and theirs not in self._ours
        if ours is not None and new:
            self.learn(ours, theirs)
        return self.ours(theirs)

    def recognise_all(self, met: Mapping[str, object]) -> None:
        """As *recognise*, for all jobs of one answer: their ids, and what travelled with each.

        A tag that is there twice, or beside the very id that it names, was copied by somebody, and
        nobody can say which job is ours.
        """
        tags = Counter(tagged(extra) for extra in met.values())
        for theirs, extra in met.items():
            ours = tagged(extra)
            if ours is not None and tags[ours] == 1 and ours not in met:
                self.recognise(theirs, extra)

    def knows(self, ours: str) -> bool:
        """Whether another id is known for *ours*."""
        return ours in self._theirs

    def theirs(self, ours: str) -> str:
        """What ComfyUI calls the job; the same id if nothing else is known."""
        return self._theirs.get(ours, ours)

    def ours(self, theirs: str) -> str:
        """What we call the job; the same id if nothing else is known."""
        return self._ours.get(theirs, theirs)

    def _forget(self, ours: str | None) -> None:
        theirs = None if ours is None else self._theirs.pop(ours, None)
        if theirs is not None:
            del self._ours[theirs]
