"""Files and texts that jobs put out: what they are, small pictures of them, and how they came to be."""

from __future__ import annotations

from comfy_mcp.outputs.output import (
    MAX_BYTES,
    Output,
    describe,
    mime_type,
    parse_uri,
    thumbnail,
    uri,
)

__all__ = ["MAX_BYTES", "Output", "describe", "mime_type", "parse_uri", "thumbnail", "uri"]
