"""What the log of a ComfyUI shows of its worker's death: the interpreter's words, in its pieces.

No logger writes them but the interpreter itself, in many small writes: Python up to 3.12 writes
each blank and each mark of an underlined line by itself. So a long traceback fills the ring of
300 writes and pushes its own first line out, the only one that names the worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Death", "pieces"]

COMFYUI = "/home/user/ComfyUI"
PYTHON = "/usr/lib/python3.11"


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker dies: the exception, and how deep in ComfyUI it was raised."""

    kind: str
    text: str
    deep: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    file: str
    line: int
    name: str
    marks: tuple[int, int] = (0, 0)
    """Width of the code before the underline, and of the underline."""


_THREAD = (
    _Frame(f"{PYTHON}/threading.py", 1045, "_bootstrap_inner"),
    _Frame(f"{PYTHON}/threading.py", 982, "run"),
    _Frame(f"{COMFYUI}/main.py", 421, "prompt_worker"),
)
_DEEP = (
    _Frame(f"{COMFYUI}/execution.py", 728, "execute"),
    _Frame(f"{PYTHON}/asyncio/runners.py", 190, "run", (7, 16)),
    _Frame(f"{PYTHON}/asyncio/runners.py", 118, "run", (7, 35)),
    _Frame(f"{PYTHON}/asyncio/base_events.py", 653, "run_until_complete", (7, 15)),
    _Frame(f"{COMFYUI}/execution.py", 757, "execute_async"),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 533, "set_prompt"),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 449, "set_prompt"),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 164, "set_prompt"),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 98, "add_keys", (21, 50)),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 103, "get_node_signature", (27, 45)),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 134, "get_ordered_ancestry"),
    _Frame(f"{COMFYUI}/comfy_execution/caching.py", 140, "get_ordered_ancestry_internal", (9, 37)),
)


def pieces(death: Death) -> Iterator[str]:
    """The writes, one by one."""
    yield from ("Exception in thread ", "Thread-1 (prompt_worker)", ":\n")
    yield "Traceback (most recent call last):\n"
    for frame in (*_THREAD, *(_DEEP if death.deep else ())):
        yield from _frame(frame)
    yield from ("", death.kind, ": ", death.text, "\n")


def _frame(frame: _Frame) -> Iterator[str]:
    yield from ("", f'  File "{frame.file}", line {frame.line}, in {frame.name}\n')
    yield from ("", "    ", f"...{frame.name}...", "\n")
    before, marks = frame.marks
    if marks:
        yield from ("", *" " * (4 + before), *"^" * marks, "\n")
