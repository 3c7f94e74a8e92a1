"""Files that are given to ComfyUI: what they are by their content, and what they are named."""

from __future__ import annotations

from comfy_mcp.inputs.content import Content, held
from comfy_mcp.inputs.kinds import Kind, Media, identified
from comfy_mcp.inputs.masks import masked
from comfy_mcp.inputs.naming import input_name, stem_of, subfolder_of
from comfy_mcp.inputs.sources import MOST_DATA, Data, Former, Local, Source, is_path, source_of
from comfy_mcp.inputs.strangers import stranger

__all__ = [
    "MOST_DATA",
    "Content",
    "Data",
    "Former",
    "Kind",
    "Local",
    "Media",
    "Source",
    "held",
    "identified",
    "input_name",
    "is_path",
    "masked",
    "source_of",
    "stem_of",
    "stranger",
    "subfolder_of",
]
