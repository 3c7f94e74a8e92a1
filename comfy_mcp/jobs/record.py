"""What the journal keeps of a finished job, and reading it back: JSON values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from comfy_mcp.host import Ended, NodeFailure, OutputFile
from comfy_mcp.host.standing import Submitted
from comfy_mcp.store.protocol import JobRow, MadeFile

__all__ = [
    "KNOWN_AS",
    "MAX_REFUSAL",
    "REFUSAL",
    "Overtime",
    "failure_of",
    "files_of",
    "gpu_ms",
    "made_by",
    "never_began",
    "noted",
    "outcome_record",
    "overtime_note",
    "overtime_of",
    "result_of",
]

REFUSAL = "refusal"
"""Where the journal keeps why ComfyUI did not take a job."""

MAX_REFUSAL = 2_000

KNOWN_AS = "known_as"
"""Where the journal keeps ComfyUI's own id of a job, if it has one."""

MAX_TEXT = 20_000
MAX_TEXTS = 200_000
"""Characters of each text output, and of all of a job together: the journal is no archive."""

_FAILURE = frozenset(each.name for each in fields(NodeFailure))

_MADE = frozenset({"output", "temp"})


@dataclass(frozen=True, slots=True)
class Overtime:
    """Why the watchdog stopped a job: it ran longer than *cap_ms*, by the policy's *rule*."""

    rule: str
    cap_ms: int


def noted(submitted: Submitted) -> dict[str, Any]:
    """What the journal keeps of a submit that ComfyUI took."""
    kept: dict[str, Any] = {"warnings": list(submitted.dropped), "number": submitted.number}
    return kept if submitted.known_as is None else {**kept, KNOWN_AS: submitted.known_as}


def result_of(end: Ended) -> dict[str, Any]:
    """The end of a job as the journal keeps it."""
    return {
        "outputs": _files(end.outputs),
        "failure": asdict(end.failure) if end.failure else None,
        "started_ms": end.started_ms,
        "ended_ms": end.ended_ms,
        "cached_nodes": end.cached_nodes,
    } | ({"unread": end.unread} if end.unread else {})


def files_of(result: Mapping[str, Any]) -> tuple[OutputFile, ...]:
    """The outputs in a journal's result."""
    items = cast("list[dict[str, Any]]", result.get("outputs") or [])
    return tuple(OutputFile(**item) for item in items)


def failure_of(result: Mapping[str, Any]) -> NodeFailure | None:
    """The failure in a journal's result; rows of older servers know less of it."""
    data = cast("dict[str, Any] | None", result.get("failure"))
    if not data:
        return None
    return NodeFailure(**{key: data[key] for key in _FAILURE if key in data})


def gpu_ms(result: Mapping[str, Any]) -> int | None:
    """How long the job ran, by ComfyUI's own clock."""
    started, ended = result.get("started_ms"), result.get("ended_ms")
    if isinstance(started, int) and isinstance(ended, int):
        return max(0, ended - started)
    return None


def never_began(row: JobRow, status: str, result: Mapping[str, Any]) -> bool:
    """Whether *row* was asked to leave the queue, and was cancelled before it began.

    Comfy Cloud keeps what was taken out of its queue, as a job without a start.
    """
    asked = row.status == "stopping" and status == "cancelled"
    return asked and row.running_ms is None and result.get("started_ms", 0) is None


def made_by(result: Mapping[str, Any]) -> tuple[MadeFile, ...]:
    """The files that a job put out, each once; texts are none, and inputs it did not make."""
    files = (
        MadeFile(file.type, file.subfolder, file.filename)
        for file in files_of(result)
        if file.filename and file.type in _MADE
    )
    return tuple(dict.fromkeys(files))


def overtime_note(row: JobRow) -> dict[str, Any]:
    """What the journal keeps of a job that is about to be stopped at its cap."""
    return {"stopped_by": {"rule": row.cap_rule, "cap_ms": row.cap_ms}}


def overtime_of(result: Mapping[str, Any]) -> Overtime | None:
    """Why the watchdog meant to stop the job of a journal's result, if it did."""
    data = cast("dict[str, Any] | None", result.get("stopped_by"))
    return Overtime(**data) if data else None


def outcome_record(row: JobRow, status: str, gpu_ms: int | None) -> dict[str, Any]:
    """The audit row of a job's end; *gpu_ms* None: nobody knows how long it ran."""
    return {
        "kind": "job",
        "prompt_id": row.prompt_id,
        "decision_id": row.decision_id,
        "grant": row.grant,
        "outcome": status,
        "gpu_ms": gpu_ms,
    }


def _files(files: tuple[OutputFile, ...]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    left = MAX_TEXTS
    for file in files:
        data = asdict(file)
        if file.text is not None:
            data["text"] = file.text[: min(MAX_TEXT, left)]
            left -= len(data["text"])
            if len(data["text"]) < len(file.text):
                data["characters"] = file.characters or len(file.text)
        if data["characters"] is None:
            # Servers of before cannot read it, and rarely need to.
            del data["characters"]
        kept.append(data)
    return kept
