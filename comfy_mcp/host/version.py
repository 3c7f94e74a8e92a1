"""What a ComfyUI can do, by the version it reports."""

from __future__ import annotations

import re

__all__ = ["CHOSEN_IDS", "TARGETED_INTERRUPT", "parse_version"]

CHOSEN_IDS = (0, 3, 45)
"""First version that keeps the prompt_id which the client chose."""

TARGETED_INTERRUPT = (0, 3, 57)
"""First version whose POST /interrupt honours a prompt_id; before, every interrupt is global."""


def parse_version(text: str) -> tuple[int, int, int] | None:
    """``0.3.64`` as ``(0, 3, 64)``; None for what is no version, such as a fork's own name."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    if match is None:
        return None
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch or 0)
