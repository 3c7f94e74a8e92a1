"""What a look at ComfyUI says about one job: pure reading of its answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from comfy_mcp.host.cleaning import clean, word
from comfy_mcp.host.finite import whole
from comfy_mcp.host.told_inputs import told_inputs

if TYPE_CHECKING:
    from comfy_mcp.host.wire import HistoryStatus

__all__ = [
    "Absent",
    "Ended",
    "NodeFailure",
    "OutputFile",
    "Pending",
    "Running",
    "Sighting",
    "ended",
    "outputs_of",
]

MAX_TEXT = 100_000
MAX_OUTPUTS = 1_000


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One thing a node put out: a file ComfyUI can show (/view), or *text* and no filename.

    *characters*: how many the whole text has, where *text* is only its beginning.
    """

    node_id: str
    key: str
    filename: str = ""
    subfolder: str = ""
    type: str = "output"
    text: str | None = None
    characters: int | None = None


@dataclass(frozen=True, slots=True)
class NodeFailure:
    """Where and why a run failed; *message* is the exception's own text, cleaned.

    *inputs* are those of the node that are short and may be told.
    """

    type: str
    message: str
    node_id: str | None = None
    node_type: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Pending:
    """In the queue; *position* 1 runs next."""

    position: int


@dataclass(frozen=True, slots=True)
class Running:
    """Being worked on."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Finished, one way or the other; *outcome* is completed, failed or cancelled.

    *unread*: why what the job put out could not be read, in words.
    """

    outcome: str
    outputs: tuple[OutputFile, ...] = ()
    failure: NodeFailure | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    cached_nodes: int = 0
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """Neither in the queue nor in the history."""


Sighting = Pending | Running | Ended | Absent


def ended(outputs: Mapping[str, Any], status: HistoryStatus | None) -> Ended:
    """A history entry's meaning. Its messages win over status_str, which can be wrong."""
    messages = status.messages if status else []
    by_name = {name: data for name, data in messages}  # noqa: C416 - the last of a name counts
    last = messages[-1][1] if messages else {}
    if "execution_error" in by_name:
        outcome, failure = "failed", _failure(by_name["execution_error"])
    elif "execution_interrupted" in by_name:
        outcome, failure = "cancelled", None
    elif status is not None and status.status_str == "error":
        outcome, failure = "failed", NodeFailure("unknown", "ComfyUI gave no reason.")
    else:
        outcome, failure = "completed", None
    return Ended(
        outcome,
        outputs_of(outputs),
        failure,
        _stamp(by_name.get("execution_start", {})),
        _stamp(last),
        _length(by_name.get("execution_cached", {}).get("nodes")),
    )


def outputs_of(outputs: Mapping[str, Any]) -> tuple[OutputFile, ...]:
    """Every file and text under every key of every node, in the order ComfyUI lists them.

    Videos stand under ``images`` and custom nodes use keys of their own, so the key decides
    nothing: whatever has a filename is a file; strings count only under ``text``.
    """
    found = (
        item
        for node_id, kinds in outputs.items()
        if isinstance(kinds, dict)
        for key, values in cast("dict[str, Any]", kinds).items()
        if isinstance(values, list)
        for item in _items(node_id, key, cast("list[object]", values))
    )
    return tuple(item for item, _ in zip(found, range(MAX_OUTPUTS), strict=False))


def _items(node_id: str, key: str, values: list[object]) -> Iterator[OutputFile]:
    for value in values:
        if isinstance(value, dict):
            yield from _file(node_id, key, cast("dict[str, Any]", value))
        elif isinstance(value, str) and key == "text":
            whole_length = len(value) if len(value) > MAX_TEXT else None
            yield OutputFile(node_id, key, text=value[:MAX_TEXT], characters=whole_length)


def _file(node_id: str, key: str, value: dict[str, Any]) -> Iterator[OutputFile]:
    filename, subfolder = value.get("filename"), value.get("subfolder") or ""
    kind = value.get("type") or "output"
    if not isinstance(filename, str) or not filename or not isinstance(subfolder, str):
        return
    if kind in ("output", "temp", "input"):
        yield OutputFile(node_id, key, filename, subfolder, kind)


def _failure(data: Mapping[str, Any]) -> NodeFailure:
    message = clean(str(data.get("exception_message") or ""))
    return NodeFailure(
        type=word(data.get("exception_type") or "unknown"),
        message=message,
        node_id=_word(data.get("node_id")),
        node_type=_word(data.get("node_type")),
        inputs=told_inputs(data.get("current_inputs"), message),
    )


def _word(value: object) -> str | None:
    return None if value is None else word(value)


def _stamp(data: Mapping[str, Any]) -> int | None:
    return whole(data.get("timestamp"))


def _length(value: object) -> int:
    return len(cast("list[object]", value)) if isinstance(value, list) else 0
