"""What tests of uploads and exports share: files, folders, and a policy that allows both."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.tools.desk import EVERYTHING

__all__ = ["FILES", "b64", "everything_in", "noise", "png", "policy"]

FILES: dict[str, Any] = {
    **EVERYTHING,
    "tools": {**EVERYTHING["tools"], "upload_input": {}, "export_output": {}},
}
"""A policy that allows uploads and exports, too."""


def policy(**more: Any) -> dict[str, Any]:
    """`FILES` with *more* sections."""
    return {**FILES, **more}


def png(color: str = "orange", size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture in one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    """A picture that no format makes small."""
    buffer = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def everything_in(folder: Path) -> list[str]:
    """Every file and folder below *folder*, hidden ones, too."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*"))
