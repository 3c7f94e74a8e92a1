"""Names of files: which folder they are in, what must not be left, and how new ones are called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import time

__all__ = ["KINDS", "Folders", "SaveName", "annotated", "inside", "lexically", "save_name"]

KINDS = ("output", "input", "temp")


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of a host."""

    input: Path
    output: Path
    temp: Path

    @classmethod
    def below(cls, base: Path) -> Folders:
        """The folders in *base*, made if they are missing."""
        base = base.resolve()
        folders = cls(base / "input", base / "output", base / "temp")
        for each in (folders.input, folders.output, folders.temp):
            each.mkdir(parents=True, exist_ok=True)
        return folders

    @property
    def user(self) -> Path:
        """Where a user's own files are; made when there is one."""
        return self.output.parent / "user" / "default"

    def of(self, kind: str) -> Path | None:
        """The folder of that *kind*, None if there is no such kind."""
        return {"input": self.input, "output": self.output, "temp": self.temp}.get(kind)


def annotated(name: str) -> tuple[str, str | None]:
    """A file's name without its ` [output]`, ` [input]` or ` [temp]`, and which one that was."""
    for kind in KINDS:
        mark = f"[{kind}]"
        if name.endswith(mark):
            return name[: -len(mark) - 1], kind
    return name, None


def inside(base: Path, target: Path) -> Path | None:
    """*target* if it stays within *base*, also through symbolic links, else None."""
    root, real = os.path.realpath(base), os.path.realpath(target)
    return target if os.path.commonpath((root, real)) == root else None


def lexically(base: Path, *parts: str) -> Path | None:
    """*parts* below *base* with `..` taken away, None if that leads out of it.

    Symbolic links are not looked at: within its folders ComfyUI follows them.
    """
    path = Path(os.path.normpath(base.joinpath(*parts)))
    return path if path.is_relative_to(base) else None


@dataclass(frozen=True, slots=True)
class SaveName:
    """Where a node saves: *folder*, the *stem* of its files, and the first free *counter*."""

    folder: Path
    stem: str
    counter: int
    subfolder: str


def save_name(prefix: str, base: Path, width: int, height: int, now: time.struct_time) -> SaveName:
    """Where files of *prefix* go below *base*; the counter is the highest in use plus one.

    Raises:
        Exception: the prefix leads out of *base*.
    """
    filled = os.path.normpath(_with_variables(prefix, width, height, now))
    subfolder, stem = os.path.split(filled)
    folder = base / subfolder
    if inside(base, folder) is None:
        raise Exception(  # noqa: TRY002 - ComfyUI raises just this, and clients see its name
            "**** ERROR: Saving image outside the output folder is not allowed."
            f"\n full_output_folder: {os.path.normpath(folder)}\n         output_dir: {base}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    used = (_counter(each.name, stem) for each in folder.iterdir())
    return SaveName(folder, stem, max(used, default=0) + 1, subfolder)


def _with_variables(prefix: str, width: int, height: int, now: time.struct_time) -> str:
    values = {
        "width": f"{width}",
        "height": f"{height}",
        "year": f"{now.tm_year}",
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    for name, value in values.items():
        prefix = prefix.replace(f"%{name}%", value)
    return prefix


def _counter(name: str, stem: str) -> int:
    """The number in `stem_00012_.png`; 0 for another name."""
    if not name.startswith(f"{stem}_"):
        return 0
    digits = name[len(stem) + 1 :].partition(".")[0].partition("_")[0]
    return int(digits) if digits.isdigit() else 0
