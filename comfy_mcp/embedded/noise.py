"""Websocket frames that mean nothing: what a client must read without harm."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FLOOD", "GARBAGE", "noise"]

FLOOD = 2_000
"""Frames of noise before each frame of sense, when it floods."""

GARBAGE: tuple[str | bytes, ...] = (
    "",
    "not JSON",
    "null",
    "7",
    "NaN",
    "[]",
    "{}",
    '"\\ud800"',
    "[" * 20_000,
    '{"type": null, "data": null}',
    '{"type": ["executing"], "data": {}}',
    '{"type": "executing"}',
    '{"type": "executing", "data": null}',
    '{"type": "executing", "data": {"node": {}, "prompt_id": 7}}',
    '{"type": "execution_success", "data": {"prompt_id": null}}',
    '{"type": "execution_error", "data": [7]}',
    '{"type": "execution_cached", "data": {"nodes": 7, "prompt_id": []}}',
    '{"type": "executed", "data": {"node": null, "output": 7, "prompt_id": {}}}',
    '{"type": "progress", "data": {"value": "many", "max": -1, "prompt_id": true}}',
    '{"type": "progress", "data": {"value": 1e999, "max": 0, "node": []}}',
    '{"type": "progress_state", "data": {"prompt_id": 7, "nodes": [null]}}',
    '{"type": "progress_state", "data": {"nodes": {"1": {"value": {}, "state": 3}}}}',
    '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": "all"}}}}',
    '{"type": "status", "data": {"sid": 7, "status": null}}',
    '{"type": "feature_flags", "data": 7}',
    '{"type": "some.extension", "data": {"prompt_id": "nobody"}}',
    b"",
    b"\x00",
    b"\x00\x00\x00\x01",
    struct.pack(">I", 0xFFFFFFFF),
    struct.pack(">II", 1, 99) + b"no picture",
    struct.pack(">II", 3, 0xFFFFFFFF) + b"5 of nothing",
    struct.pack(">II", 4, 0xFFFFFFFF) + b"{}",
    struct.pack(">II", 4, 4) + b"[[[[" + b"no picture",
    struct.pack(">II", 4, 2) + b"7 " + b"no picture",
)

_ONE_OF_MANY = json.dumps({"type": "some.extension", "data": {"text": "x" * 200}})


def noise(weather: str) -> Iterable[str | bytes]:
    """What is sent before each frame of sense."""
    return NOISE.get(weather, ())


NOISE: Mapping[str, tuple[str | bytes, ...]] = {
    "garbage": GARBAGE,
    "flood": (_ONE_OF_MANY,) * FLOOD,
}
