"""Files and texts that jobs put out: what they are, how they look, and how they came to be."""

from __future__ import annotations

from comfy_mcp.outputs.kinds import KINDS, Kind, kind_of, mime_type
from comfy_mcp.outputs.output import MAX_BYTES, Output, describe, short
from comfy_mcp.outputs.thumbnails import thumbnail
from comfy_mcp.outputs.uris import parse_uri, uri

__all__ = [
    "KINDS",
    "MAX_BYTES",
    "Kind",
    "Output",
    "describe",
    "kind_of",
    "mime_type",
    "parse_uri",
    "short",
    "thumbnail",
    "uri",
]
