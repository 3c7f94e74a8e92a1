"""Jobs of all agents as the page shows them. Pure: from the journal and a look at ComfyUI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from comfy_mcp.console.comfyui import ComfyUI
from comfy_mcp.host import Absent, Ended, Sighting
from comfy_mcp.host.client import ComfyHost
from comfy_mcp.jobs.job import Job
from comfy_mcp.jobs.record import failure_of, result_of
from comfy_mcp.jobs.show import from_journal
from comfy_mcp.jobs.table import ends, shown
from comfy_mcp.quoting import bounded, plain
from comfy_mcp.store.protocol import JobRow

__all__ = ["Shelf", "as_objects"]

MOST_OUTPUTS = 4
WORDS = 400

NEARLY = 95.0
"""Percent; a guess never says that a job is done."""

GONE = "ComfyUI has this job no more. A server of this folder will find out and write down why."


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is known of jobs: *open_* of the journal, oldest first, and *ended*, newest first.

    *estimates* says how many ms a job of a shape takes, where that is known.
    """

    open_: tuple[JobRow, ...] = ()
    ended: tuple[JobRow, ...] = ()
    estimates: Mapping[str, int] | None = None


def as_objects(
    shelf: Shelf, comfyui: ComfyUI, host: ComfyHost, now_ms: int
) -> list[dict[str, Any]]:
    """What runs, what waits in the order in which it will run, then what has ended."""
    seen = dict(comfyui.seen)
    rows = [_as_seen(row, seen.get(row.prompt_id), comfyui) for row in shelf.open_]
    alive = [row for row in rows if not ends(row.status)]
    over = sorted((row for row in rows if ends(row.status)), key=lambda row: -row.seq)
    ordered = sorted(alive, key=lambda row: _turn(row, comfyui))
    absent = {row.prompt_id for row in alive if isinstance(seen.get(row.prompt_id), Absent)}
    there = {*comfyui.running, *comfyui.pending}
    lost = absent - there if comfyui.reachable else set[str]()
    told = [_open(row, comfyui, shelf.estimates or {}, now_ms, lost=lost) for row in ordered]
    return told + [_ended(row, host, now_ms) for row in (*over, *shelf.ended)]


def _as_seen(row: JobRow, seen: Sighting | None, comfyui: ComfyUI) -> JobRow:
    """*row* with what ComfyUI shows and nobody has written down yet."""
    if row.prompt_id in comfyui.running:
        return replace(row, status="in_progress")
    if row.prompt_id in comfyui.pending or not isinstance(seen, Ended):
        return row
    result = {**row.result, **result_of(seen)}
    return replace(row, status=seen.outcome, result=result, changed_ms=seen.ended_ms or 0)


def _turn(row: JobRow, comfyui: ComfyUI) -> tuple[int, int, int]:
    if row.status == "in_progress":
        return (0, 0, row.seq)
    waits = comfyui.pending
    return (1, waits.index(row.prompt_id) if row.prompt_id in waits else len(waits), row.seq)


def _open(
    row: JobRow, comfyui: ComfyUI, estimates: Mapping[str, int], now_ms: int, *, lost: Iterable[str]
) -> dict[str, Any]:
    runs = row.status == "in_progress"
    place = comfyui.pending.index(row.prompt_id) + 1 if row.prompt_id in comfyui.pending else None
    ran = max(0, now_ms - row.running_ms) // 1000 if runs and row.running_ms is not None else None
    return {
        **_common(row),
        "status": shown(row.status),
        "progress": _progress(row, estimates, now_ms) if runs else None,
        "position": None if runs else place,
        "seconds": ran,
        "error": GONE if row.prompt_id in lost else None,
        "outputs": [],
    }


def _progress(row: JobRow, estimates: Mapping[str, int], now_ms: int) -> dict[str, Any] | None:
    """How far it is, as its server wrote down; else as far as such jobs are after that time."""
    told = row.progress
    if told is not None:
        known = {key: told.get(key) for key in ("node_id", "value", "max")}
        return {"percent": _percent(told), **bounded(known), "estimated": False}
    usual = estimates.get(row.shape)
    if not usual or row.running_ms is None:
        return None
    percent = min(NEARLY, 100 * max(0, now_ms - row.running_ms) / usual)
    unknown = dict.fromkeys(("node_id", "value", "max"))
    return {"percent": round(percent), **unknown, "estimated": True}


def _percent(told: Mapping[str, Any]) -> float:
    percent: object = told.get("percent")
    return min(100.0, max(0.0, float(percent))) if isinstance(percent, int | float) else 0.0


def _ended(row: JobRow, host: ComfyHost, now_ms: int) -> dict[str, Any]:
    job = from_journal(row, row.grant, host, now_ms)
    return {
        **_common(row),
        "status": job.status,
        "progress": None,
        "position": None,
        "seconds": job.timings.running,
        "error": _error(row, job),
        "outputs": [
            {"number": number, "kind": one.kind, "filename": plain(one.filename or "")}
            for number, one in enumerate(job.outputs[:MOST_OUTPUTS])
        ],
    }


def _error(row: JobRow, job: Job) -> str | None:
    if job.error is None:
        return None
    failure = failure_of(row.result)
    where = f" (node {plain(failure.node_id)})" if failure and failure.node_id else ""
    return plain(f"{job.error.message}{where}", WORDS)


def _common(row: JobRow) -> dict[str, Any]:
    return {
        "prompt_id": plain(row.prompt_id),
        "grant": plain(row.grant),
        "workflow": plain(row.workflow),
        "created_at": row.created_ms,
    }
