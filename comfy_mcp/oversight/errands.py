"""What calls that run nothing would do, in words: files that are sent or written, and workflows.

Names that an agent chose are short, and in quotation marks if they do not look like names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.oversight.gauge import number
from comfy_mcp.oversight.values import mapping
from comfy_mcp.quoting import name, plain
from comfy_mcp.store.asked import ApprovalRow

__all__ = ["FILE", "Errand", "errand", "tells_file"]

FILE = "file"
"""The argument of upload_input that the server adds: what it measured of the file."""

HEAD = 16
"""Characters of a digest that tell it from others."""

WORD = 80
"""Characters of a format."""

FEW = 12
"""Node classes that are told one by one."""


@dataclass(frozen=True, slots=True)
class Errand:
    """*act* and *what* make a heading, as Upload and a file's name; *words* are a clause."""

    act: str
    what: str
    words: str


def errand(row: ApprovalRow) -> Errand | None:
    """What *row* asks for, if it is one of these calls and says of what."""
    tell = _TELLERS.get(row.tool)
    args = mapping(row.facts.get("args"))
    return tell(args) if tell and args else None


def tells_file(row: ApprovalRow) -> bool:
    """The measured file is told among the facts: it is no word of the agent."""
    return row.tool == "upload_input" and errand(row) is not None


def _upload(args: Mapping[str, Any]) -> Errand | None:
    file = mapping(args.get(FILE))
    if not file:
        return None
    parts = [
        plain(file["format"], WORD) if file.get("format") else "",
        f"{_count(file['width'])} x {_count(file.get('height'))} pixels" if "width" in file else "",
        f"{_count(file['seconds'])} s" if "seconds" in file else "",
        f"{_count(file.get('bytes'))} bytes",
        f"sha256 {plain(str(file.get('sha256', '?'))[:HEAD])}...",
    ]
    told = ", ".join(part for part in parts if part)
    return Errand("Upload", name(file.get("name", "?")), f"{told}; to ComfyUI's input folder")


def _export(args: Mapping[str, Any]) -> Errand:
    over = "over a file that is there" if args.get("overwrite") is True else "over no other file"
    made = f", as {plain(args['format'], WORD)}" if args.get("format") else ""
    kept = ", with the workflow inside" if args.get("keep_metadata") is True else ""
    words = f"a result, into a folder of this machine{made}{kept}; {over}"
    return Errand("Write", name(args.get("to", "?")), words)


def _save(args: Mapping[str, Any]) -> Errand:
    over = "in place of an earlier one" if args.get("overwrite") is True else "in place of no other"
    nodes = [mapping(one) for one in mapping(args.get("workflow")).values()]
    classes = dict.fromkeys(name(one["class_type"]) for one in nodes if "class_type" in one)
    shown, more = list(classes)[:FEW], len(classes) - FEW
    told = ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])
    graph = f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}: {told}; " if told else ""
    return Errand("Save workflow", name(args.get("name", "?")), f"{graph}{over}")


def _delete(args: Mapping[str, Any]) -> Errand:
    return Errand("Delete workflow", name(args.get("name", "?")), "which an agent saved")


def _count(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "?"
    return number(round(value, 2))


_TELLERS: Mapping[str, Callable[[Mapping[str, Any]], Errand | None]] = {
    "upload_input": _upload,
    "export_output": _export,
    "save_workflow": _save,
    "delete_workflow": _delete,
}
