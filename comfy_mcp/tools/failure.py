"""Errors into tool results, in one place.

A failure has no structured content: clients built on the TypeScript SDK 1.x check that against the
tool's output schema and would lose the message. So it is told three times over: in words, as JSON
text, and under ``_meta``.
"""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any

from mcp.types import CallToolResult, TextContent

from comfy_mcp.errors import ComfyMCPError, Refused, StateError

__all__ = ["DENIAL", "ERROR", "failure", "let_go", "payload", "told", "words_of"]

log = logging.getLogger(__name__)

DENIAL = "comfy-mcp-guard/denial"
ERROR = "comfy-mcp-guard/error"

MAX_WORDS = 4_000

STATE = (
    "The guard cannot use its state at the moment, so this was not done. Try again later, or tell"
    " the owner of this server: its stderr says more."
)


def failure(error: ComfyMCPError) -> CallToolResult:
    """What the model and its client read about *error*."""
    key, body = payload(error)
    return told(words_of(error), key, body)


def let_go(error: BaseException | None) -> None:
    """Empty the frames that *error* came through, once it was told.

    An error and its frames hold each other, and with them the files and pictures that a call was
    working on: nobody collects that before much more has piled up.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def words_of(error: ComfyMCPError) -> str:
    """What a model reads about *error*: an operator's matters stay with the operator."""
    if isinstance(error, StateError):
        log.error("%s", error)
        return STATE
    return str(error)


def payload(error: ComfyMCPError) -> tuple[str, dict[str, Any]]:
    """The key under ``_meta`` and the JSON object that belong to *error*."""
    if isinstance(error, Refused):
        return DENIAL, error.denial.payload()
    return ERROR, {"code": error.code, "retryable": error.retryable, **error.details()}


def told(words: str, key: str, body: dict[str, Any]) -> CallToolResult:
    """A failed result of *words* and *body*."""
    text = words if len(words) <= MAX_WORDS else words[:MAX_WORDS] + " …"
    compact = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(
        content=[TextContent(type="text", text=text), TextContent(type="text", text=compact)],
        is_error=True,
        _meta={key: body},
    )
