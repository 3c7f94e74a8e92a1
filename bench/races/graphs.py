"""The jobs of the races: each can be told by its mark, wherever ComfyUI shows its graph."""

from __future__ import annotations

import zlib
from typing import Any, cast

__all__ = ["PREFIX", "long", "mark_of", "short", "small"]

PREFIX = "races/"
"""Every job saves under this and its mark: that is how its entry in the history is found."""

Graph = dict[str, Any]


def small(mark: str) -> Graph:
    """As little work as a job can be."""
    return {"1": _plane(mark, 64, 1), "9": _save("1", mark)}


def short(mark: str) -> Graph:
    """A tenth of a second or so, in nodes that are as long as each other."""
    graph = {"1": _plane(mark, 512, 1)}
    for node in range(2, 6):
        graph[str(node)] = _blur(str(node - 1), radius=9)
    return {**graph, "9": _save("5", mark)}


def long(mark: str, elements: int = 40) -> Graph:
    """Several seconds, mapped over a list: an interrupt takes effect before each element."""
    rebatch = {"images": ["1", 0], "batch_size": 1}
    return {
        "1": _plane(mark, 512, elements),
        "2": {"class_type": "RebatchImages", "inputs": rebatch},
        "3": _blur("2", radius=15),
        "4": _blur("3", radius=15),
        "9": _save("4", mark),
    }


def mark_of(graph: object) -> str | None:
    """The mark of a graph as ComfyUI shows it; None for a job of somebody else."""
    nodes = cast("Graph", graph).values() if isinstance(graph, dict) else ()
    saves = (cast("Graph", node).get("inputs", {}) for node in nodes if isinstance(node, dict))
    names = (str(inputs.get("filename_prefix", "")) for inputs in saves)
    return next((name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)), None)


def _plane(mark: str, side: int, count: int) -> Graph:
    color = zlib.crc32(mark.encode()) % (1 << 24)
    values = {"width": side, "height": side, "batch_size": count, "color": color}
    return {"class_type": "EmptyImage", "inputs": values}


def _blur(source: str, radius: int) -> Graph:
    values = {"image": [source, 0], "blur_radius": radius, "sigma": 5.0}
    return {"class_type": "ImageBlur", "inputs": values}


def _save(source: str, mark: str) -> Graph:
    values = {"images": [source, 0], "filename_prefix": PREFIX + mark}
    return {"class_type": "SaveImage", "inputs": values}
