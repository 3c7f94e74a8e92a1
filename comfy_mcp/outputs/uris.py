"""The names of outputs: ``comfy://jobs/{prompt_id}/outputs/{number}``."""

from __future__ import annotations

import re

from comfy_mcp.errors import OutputError

__all__ = ["parse_uri", "uri"]

_URI = re.compile(r"comfy://jobs/([A-Za-z0-9_-]{1,64})/outputs/([0-9]{1,6})")


def uri(prompt_id: str, number: int) -> str:
    """The resource of the *number*-th output of a job."""
    return f"comfy://jobs/{prompt_id}/outputs/{number}"


def parse_uri(text: str) -> tuple[str, int]:
    """The job and number of an output's URI.

    Raises:
        OutputError: it is none.
    """
    match = _URI.fullmatch(text.strip())
    if match is None:
        raise OutputError(
            "That is not the uri of an output. Take one from the outputs of get_job, such as"
            " comfy://jobs/<prompt_id>/outputs/0."
        )
    return match[1], int(match[2])
