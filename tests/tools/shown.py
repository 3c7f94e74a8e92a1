"""What view_output showed, taken apart; and graphs that put out more than pictures."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import Any

from PIL import Image

__all__ = ["Shown", "moving", "seen", "sounding"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The blocks of an answer; *size* is that of all of it as JSON."""

    words: dict[str, Any]
    links: list[Any]
    picture: Image.Image | None
    size: int


def seen(result: Any) -> Shown:
    """The answer of a call that had to succeed."""
    assert not result.is_error, result.content
    blocks = {kind: [one for one in result.content if one.type == kind] for kind in _KINDS}
    assert sum(map(len, blocks.values())) == len(result.content)
    (words,) = blocks["text"]
    picture = None
    for one in blocks["image"]:
        picture = Image.open(io.BytesIO(base64.b64decode(one.data)))
        picture.load()
    size = len(result.model_dump_json(by_alias=True, exclude_none=True))
    return Shown(json.loads(words.text), blocks["resource_link"], picture, size)


_KINDS = ("text", "image", "resource_link")


def moving(node: str = "SaveAnimatedWEBP", colors: tuple[int, ...] = (0xFF0000, 0x0000FF)) -> Any:
    """An animation with a picture of each colour, four a second."""
    graph: dict[str, Any] = {}
    for place, color in enumerate(colors):
        values = {"width": 96, "height": 64, "batch_size": 1, "color": color}
        graph[f"e{place}"] = {"class_type": "EmptyImage", "inputs": values}
        before = [f"b{place - 1}" if place > 1 else "e0", 0]
        if place:
            pair = {"image1": before, "image2": [f"e{place}", 0]}
            graph[f"b{place}"] = {"class_type": "ImageBatch", "inputs": pair}
    shared = {"images": [f"b{len(colors) - 1}", 0], "filename_prefix": "moving", "fps": 4.0}
    own = {
        "SaveAnimatedWEBP": {"lossless": True, "quality": 80, "method": "default"},
        "SaveAnimatedPNG": {"compress_level": 4},
    }
    graph["save"] = {"class_type": node, "inputs": {**shared, **own[node]}}
    return graph


def sounding(seconds: float = 1.5) -> Any:
    """A sound that is kept, one that is not, and a latent."""
    silence = {"duration": seconds, "sample_rate": 8000, "channels": 2}
    size = {"width": 64, "height": 64, "batch_size": 1}
    return {
        "1": {"class_type": "EmptyAudio", "inputs": silence},
        "2": {"class_type": "SaveAudio", "inputs": {"audio": ["1", 0], "filename_prefix": "snd"}},
        "3": {"class_type": "PreviewAudio", "inputs": {"audio": ["1", 0]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": size},
        "5": {"class_type": "SaveLatent", "inputs": {"samples": ["4", 0], "filename_prefix": "l"}},
    }
