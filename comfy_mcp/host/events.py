"""What a websocket frame of ComfyUI means: pure, and deaf to what it does not know."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["Closed", "Event", "NodeProgress", "NodesState", "QueueChanged", "Started", "meaning"]


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The queue has *remaining* jobs, the running one included."""

    remaining: int


@dataclass(frozen=True, slots=True)
class Started:
    """A job began, or one of its nodes did (*node_id*)."""

    prompt_id: str
    node_id: str | None = None
    cached: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """*value* of *most* steps of one node are done."""

    prompt_id: str
    node_id: str
    value: float
    most: float


@dataclass(frozen=True, slots=True)
class NodesState:
    """Every node that has begun: *done* are finished; *node_id* runs and is at value of most."""

    prompt_id: str
    done: int
    node_id: str | None
    value: float
    most: float


@dataclass(frozen=True, slots=True)
class Closed:
    """A job ended, and its history entry is there if *settled*; otherwise it comes shortly."""

    prompt_id: str
    settled: bool


Event = QueueChanged | Started | NodeProgress | NodesState | Closed


def meaning(frame: str | bytes) -> Event | None:
    """The event in a frame; None for previews and for what is of no use here."""
    if isinstance(frame, bytes):
        return None
    try:
        return _read(json.loads(frame))
    except (ValueError, RecursionError):
        return None


def _read(message: object) -> Event | None:
    if not isinstance(message, dict):
        return None
    body = cast("dict[str, Any]", message)
    data = body.get("data")
    return _of(body.get("type"), cast("dict[str, Any]", data)) if isinstance(data, dict) else None


def _of(kind: object, data: Mapping[str, Any]) -> Event | None:
    if kind == "status":
        return _queue(data)
    prompt_id = data.get("prompt_id")
    read = _READERS.get(kind) if isinstance(kind, str) else None
    return read(prompt_id, data) if read and isinstance(prompt_id, str) else None


def _progress(prompt_id: str, data: Mapping[str, Any]) -> Event:
    done, most = _number(data.get("value")), _number(data.get("max"))
    return NodeProgress(prompt_id, str(data.get("node")), done, most)


def _executing(prompt_id: str, data: Mapping[str, Any]) -> Event:
    node = data.get("display_node") or data.get("node")
    return Closed(prompt_id, settled=True) if node is None else Started(prompt_id, str(node))


def _started(prompt_id: str, data: Mapping[str, Any]) -> Event:
    nodes = data.get("nodes")
    cached = cast("list[object]", nodes) if isinstance(nodes, list) else []
    return Started(prompt_id, cached=tuple(map(str, cached)))


def _closed(prompt_id: str, _: Mapping[str, Any]) -> Event:
    return Closed(prompt_id, settled=False)


def _error(prompt_id: str, data: Mapping[str, Any]) -> Event | None:
    """A blocked branch sends this, too, without a timestamp, and the job goes on."""
    return Closed(prompt_id, settled=False) if "timestamp" in data else None


def _queue(data: Mapping[str, Any]) -> QueueChanged | None:
    try:
        remaining = data["status"]["exec_info"]["queue_remaining"]
    except (KeyError, TypeError):
        return None
    return QueueChanged(remaining) if isinstance(remaining, int) else None


def _state(prompt_id: str, data: Mapping[str, Any]) -> NodesState | None:
    nodes = data.get("nodes")
    if not isinstance(nodes, dict):
        return None
    states = [
        cast("dict[str, Any]", state)
        for state in cast("dict[str, Any]", nodes).values()
        if isinstance(state, dict)
    ]
    idle: dict[str, Any] = {}
    running = next((state for state in states if state.get("state") == "running"), idle)
    node = running.get("display_node_id") or running.get("node_id")
    return NodesState(
        prompt_id,
        sum(state.get("state") in ("finished", "error") for state in states),
        None if node is None else str(node),
        _number(running.get("value")),
        _number(running.get("max")),
    )


def _number(value: object) -> float:
    """*value* if it is a number that can be counted with, else 0."""
    try:
        number = float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return 0.0
    return max(number, 0.0) if math.isfinite(number) else 0.0


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], Event | None]] = {
    "progress_state": _state,
    "progress": _progress,
    "executing": _executing,
    "execution_start": _started,
    "execution_cached": _started,
    "execution_success": _closed,
    "execution_interrupted": _closed,
    "execution_error": _error,
}
