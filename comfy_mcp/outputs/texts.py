"""Long texts, a piece at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_mcp.host import OutputFile

__all__ = ["MAX_TEXT", "kept_piece", "lacking", "piece"]

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


def kept_piece(file: OutputFile, offset: int) -> dict[str, object]:
    """The part of a text output from *offset* on, and what is not kept of it."""
    facts = piece(file.text or "", offset)
    note = lacking(file)
    return facts if note is None else {**facts, "characters": file.characters, "note": note}


def lacking(file: OutputFile) -> str | None:
    """What to tell of a text output of which only the beginning was kept."""
    if file.text is None or file.characters is None:
        return None
    return (
        f"Only the first {len(file.text)} of {file.characters} characters were kept;"
        " ComfyUI's own page has the rest."
    )
