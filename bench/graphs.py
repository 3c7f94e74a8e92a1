"""The job that is measured: as little work as a job can be, and never from ComfyUI's cache."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

__all__ = ["pictures"]


def pictures() -> Iterator[dict[str, Any]]:
    """Small pictures of ever new colours, so that nothing comes out of ComfyUI's cache."""
    color = secrets.randbelow(1 << 24)
    while True:
        color = (color + 1) % (1 << 24)
        size = {"width": 64, "height": 64, "batch_size": 1, "color": color}
        save = {"images": ["1", 0], "filename_prefix": "bench/small"}
        yield {
            "1": {"class_type": "EmptyImage", "inputs": size},
            "2": {"class_type": "SaveImage", "inputs": save},
        }
