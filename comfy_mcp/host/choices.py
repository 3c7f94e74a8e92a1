"""What may be chosen, where ComfyUI found its own list too long for an answer.

A refusal leaves out a list of more than twenty values, as that of the models mostly is; who
misspelt a model's name would get no suggestion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, TypeAdapter, ValidationError

from comfy_mcp.errors import HostError
from comfy_mcp.host.problems import Choices, choices_in
from comfy_mcp.host.transport import Transport, bounded

__all__ = ["choices_of"]

SECONDS = 5.0
MOST_BYTES = 8 * 1024 * 1024


class _Node(BaseModel):
    """One class of /object_info, as far as its inputs."""

    input: dict[str, dict[str, Any]]


_Nodes = TypeAdapter(dict[str, _Node])


async def choices_of(
    wire: Transport, unlisted: Iterable[tuple[str, str]], *, seconds: float = SECONDS
) -> Choices:
    """What each class takes at each input, as far as it can be had. Never an error."""
    pairs = tuple(unlisted)
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.gather(*(_choices(wire, *pair) for pair in pairs))
    except TimeoutError:
        return {}
    return {pair: given for pair, given in zip(pairs, found, strict=True) if given is not None}


async def _choices(wire: Transport, class_type: str, name: str) -> tuple[str, ...] | None:
    try:
        async with wire.open("GET", f"/object_info/{quote(class_type, safe='')}") as answer:
            body = await bounded(answer, MOST_BYTES)
        if answer.status != HTTPStatus.OK or body is None:
            return None
        groups = _Nodes.validate_json(body)[class_type].input
        specs = (groups.get(group, {}).get(name) for group in ("required", "optional"))
        return choices_in(next((spec for spec in specs if spec), None))
    except (HostError, TimeoutError, aiohttp.ClientError, ValidationError, LookupError):
        # The refusal itself is what is told; this would only have made it better.
        return None
