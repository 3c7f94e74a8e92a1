"""What the journal keeps of a finished job, and reading it back: JSON values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from comfy_mcp.host import Ended, NodeFailure, OutputFile

__all__ = ["failure_of", "files_of", "gpu_ms", "outcome_record", "result_of"]

MAX_TEXT = 20_000
MAX_TEXTS = 200_000
"""Characters of each text output, and of all of a job together: the journal is no archive."""


def result_of(end: Ended) -> dict[str, Any]:
    """The end of a job as the journal keeps it."""
    return {
        "outputs": _files(end.outputs),
        "failure": asdict(end.failure) if end.failure else None,
        "started_ms": end.started_ms,
        "ended_ms": end.ended_ms,
        "cached_nodes": end.cached_nodes,
    }


def files_of(result: Mapping[str, Any]) -> tuple[OutputFile, ...]:
    """The outputs in a journal's result."""
    items = cast("list[dict[str, Any]]", result.get("outputs") or [])
    return tuple(OutputFile(**item) for item in items)


def failure_of(result: Mapping[str, Any]) -> NodeFailure | None:
    """The failure in a journal's result."""
    data = cast("dict[str, Any] | None", result.get("failure"))
    return NodeFailure(**data) if data else None


def gpu_ms(result: Mapping[str, Any]) -> int | None:
    """How long the job ran, by ComfyUI's own clock."""
    started, ended = result.get("started_ms"), result.get("ended_ms")
    if isinstance(started, int) and isinstance(ended, int):
        return max(0, ended - started)
    return None


def outcome_record(
    prompt_id: str, status: str, decision_id: str, result: Mapping[str, Any]
) -> dict[str, Any]:
    """The audit row of a job's end."""
    return {
        "kind": "job",
        "prompt_id": prompt_id,
        "decision_id": decision_id,
        "outcome": status,
        "gpu_ms": gpu_ms(result),
    }


def _files(files: tuple[OutputFile, ...]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    left = MAX_TEXTS
    for file in files:
        data = asdict(file)
        if file.text is not None:
            data["text"] = file.text[: min(MAX_TEXT, left)]
            left -= len(data["text"])
        kept.append(data)
    return kept
