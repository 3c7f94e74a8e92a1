"""Long texts, a piece at a time."""

from __future__ import annotations

import json

__all__ = ["MAX_TEXT", "piece"]

MAX_TEXT = 16_000
"""Characters of a text in one answer, as JSON writes it; other words come beside it."""


def piece(text: str, offset: int, most: int = MAX_TEXT) -> dict[str, object]:
    """The part of *text* from *offset* on that fits an answer; where to go on, if there is more."""
    part = text[offset : offset + most]
    while (length := len(json.dumps(part, ensure_ascii=False))) > most:
        part = part[: min(len(part) - 1, len(part) * most // length)]
    facts: dict[str, object] = {"text": part}
    end = offset + len(part)
    if offset or end < len(text):
        facts["characters"] = len(text)
    if end < len(text):
        facts["next_cursor"] = end
    return facts
