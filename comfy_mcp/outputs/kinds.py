"""What kind of thing a file is, by its ending: ComfyUI lists videos under ``images``."""

from __future__ import annotations

import mimetypes
from typing import Literal

__all__ = ["KINDS", "Kind", "kind_of", "mime_type"]

Kind = Literal["image", "video", "audio", "text", "3d", "latent", "file"]

KINDS: tuple[Kind, ...] = ("image", "video", "audio", "text", "3d", "latent", "file")

UNKNOWN = "application/octet-stream"

_BY_MIME: dict[str, Kind] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "text": "text",
    "model": "3d",
}

_TEXTS = frozenset({"application/json", "application/yaml", "application/x-subrip"})

_LATENTS = frozenset({".latent"})

_MEDIA: dict[str, str] = {
    ".png": "image/png",
    ".apng": "image/apng",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".svg": "image/svg+xml",
    ".exr": "image/x-exr",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".flac": "audio/flac",
    ".opus": "audio/opus",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".wav": "audio/wav",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".log": "text/plain",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".obj": "model/obj",
    ".stl": "model/stl",
    ".ply": "model/ply",
    ".fbx": "model/fbx",
    ".usdz": "model/vnd.usdz+zip",
    ".splat": "model/splat",
    ".latent": UNKNOWN,
}
"""Endings that nodes of ComfyUI write; the system's own list differs from machine to machine."""


def mime_type(filename: str) -> str:
    """The media type of a file of that name."""
    ending = _ending(filename)
    return _MEDIA.get(ending) or mimetypes.types_map.get(ending) or UNKNOWN


def kind_of(filename: str) -> Kind:
    """The kind of a file of that name."""
    if _ending(filename) in _LATENTS:
        return "latent"
    mime = mime_type(filename)
    if mime in _TEXTS:
        return "text"
    return _BY_MIME.get(mime.partition("/")[0], "file")


def _ending(filename: str) -> str:
    return "." + filename.rpartition(".")[2].lower()
