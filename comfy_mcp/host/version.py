"""What a ComfyUI can do, by the version it reports."""

from __future__ import annotations

import re

__all__ = ["ATOMIC_CANCEL", "CHOSEN_IDS", "JOBS", "TARGETED_INTERRUPT", "Version", "parse_version"]

Version = tuple[int, int, int]

CHOSEN_IDS: Version = (0, 3, 45)
"""First version that keeps the prompt_id which the client chose."""

TARGETED_INTERRUPT: Version = (0, 3, 57)
"""First version whose POST /interrupt honours a prompt_id; before, every interrupt is global."""

JOBS: Version = (0, 6, 0)
"""First version with GET /api/jobs."""

ATOMIC_CANCEL: Version = (0, 26, 0)
"""First version with POST /api/jobs/{id}/cancel, which knows the state of its job."""


def parse_version(text: str) -> Version | None:
    """``0.3.64`` as ``(0, 3, 64)``; None for what is no version, such as a fork's own name."""
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    if match is None:
        return None
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch or 0)
