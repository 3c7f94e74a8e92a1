"""Workflows on disk: those shipped with this package and those of the operator's own folders."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from comfy_mcp.errors import ConfigError, WorkflowError
from comfy_mcp.workflow import (
    MAX_BYTES,
    Graph,
    Manifest,
    check_targets,
    listed,
    nearest,
    parse_graph,
    parse_manifest,
    shown,
)

__all__ = ["Library", "LibraryWorkflow", "shipped_folder"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PACKAGE = Path(__file__).resolve().parent.parent
_MANIFEST_KEYS = {"title", "description", "parameters", "graph"}


@dataclass(frozen=True, slots=True)
class LibraryWorkflow:
    """One workflow of the library, checked; *manifest* has no parameters if the file has none."""

    name: str
    title: str
    description: str
    manifest: Manifest
    graph: Graph


@dataclass(frozen=True, slots=True)
class _Read:
    mark: tuple[int, int]
    workflow: LibraryWorkflow


class Library:
    """The workflows in *folders*, by file name without ".json"; an earlier folder wins.

    It reads files when asked: call it from a thread. A file is read again when it has changed.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._read: dict[Path, _Read] = {}

    def names(self) -> tuple[str, ...]:
        """The names of all workflows, sorted; also of those whose file turns out to be broken.

        Raises:
            WorkflowError: a folder cannot be read (one that is not there counts as empty).
        """
        found = {name for folder in self._folders for name in _names_in(folder)}
        return tuple(sorted(found))

    def passed_over(self) -> tuple[str, ...]:
        """Why files that were surely meant as workflows are not in the library, in words.

        Raises:
            WorkflowError: a folder cannot be read.
        """
        return tuple(
            f"{path.name} is passed over: name it with small letters, digits, - and _ only"
            for folder in self._folders
            for path in _files_in(folder)
            if not _NAME.fullmatch(path.stem)
        )

    def load(self, name: str) -> LibraryWorkflow:
        """Read the workflow *name*, or what was read before if the file is still the same.

        Raises:
            WorkflowError: there is none of that name, or its file is broken.
        """
        if _NAME.fullmatch(name):
            for folder in self._folders:
                found = self._load(name, folder)
                if found is not None:
                    return found
        raise WorkflowError(_unknown(name, self.names()))

    def _load(self, name: str, folder: Path) -> LibraryWorkflow | None:
        """The workflow of *folder*, or None if it has none of that *name*."""
        path = folder / f"{name}.json"
        try:
            if not _is_there(path):
                return None
            inside = _inside(path, folder)
            state = inside.stat()
            if not stat.S_ISREG(state.st_mode):
                raise WorkflowError(f"Library file {path.name} is no plain file. Replace it.")
            mark = (state.st_mtime_ns, state.st_size)
            known = self._read.get(path)
            if known is None or known.mark != mark:
                with inside.open("rb") as file:
                    raw = file.read(MAX_BYTES + 1)
                known = _Read(mark, _workflow(name, raw))
                self._read[path] = known
        except OSError as exc:
            raise WorkflowError(
                f"Library file {path.name} cannot be read ({exc.strerror}). Check its permissions."
            ) from exc
        return known.workflow


def shipped_folder(package: Path = _PACKAGE) -> Path:
    """Where the workflows of *package* are: in a wheel beside the code, in a checkout above it.

    Raises:
        ConfigError: they are in neither place.
    """
    for folder in (package / "_shipped" / "workflows", package.parent / "workflows"):
        if folder.is_dir():
            return folder
    raise ConfigError("The shipped workflows are missing. Install comfy-mcp-guard again.")


def _names_in(folder: Path) -> tuple[str, ...]:
    return tuple(path.stem for path in _files_in(folder) if _NAME.fullmatch(path.stem))


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix == ".json" and _is_there(p))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        raise WorkflowError(
            f"The workflow folder {folder.name} cannot be read ({exc.strerror})."
            " Check its permissions."
        ) from exc


def _is_there(path: Path) -> bool:
    """A link counts, wherever it leads: one that leads out is refused, not passed over."""
    return path.is_symlink() or path.is_file()


def _inside(path: Path, folder: Path) -> Path:
    try:
        real = path.resolve(strict=True)
    except RuntimeError as exc:
        raise WorkflowError(f"Library file {path.name} is a link to itself. Replace it.") from exc
    if not real.is_relative_to(folder.resolve()):
        raise WorkflowError(
            f"Library file {path.name} is a link out of its folder. Put a copy of the file there."
        )
    return real


def _unknown(name: str, known: tuple[str, ...]) -> str:
    if not known:
        return f'There is no workflow "{shown(name)}", and the library is empty. Add a .json file.'
    close = nearest(name, known)
    hint = f' Did you mean "{close}"?' if close else ""
    return f'There is no workflow "{shown(name)}".{hint} There are: {listed(known)}.'


def _workflow(name: str, raw: bytes) -> LibraryWorkflow:
    try:
        return _parsed(name, raw)
    except WorkflowError as exc:
        raise WorkflowError(
            f"Library file {name}.json: {exc}", node_id=exc.node_id, input_name=exc.input_name
        ) from exc


def _parsed(name: str, raw: bytes) -> LibraryWorkflow:
    if len(raw) > MAX_BYTES:
        raise WorkflowError(f"it is bigger than {MAX_BYTES // 1024**2} MiB. Make it smaller.")
    about, nodes = _parts(name, _json(raw))
    manifest = parse_manifest(about)
    graph = parse_graph(nodes)
    check_targets(manifest, graph)
    return LibraryWorkflow(name, manifest.title, manifest.description, manifest, graph)


def _parts(name: str, value: object) -> tuple[dict[str, object], object]:
    """The manifest and the nodes; a plain API export is all nodes."""
    if not isinstance(value, dict):
        return {"title": name}, value
    fields = cast("dict[str, object]", value)
    if all(_is_node(fields.get(key)) for key in _MANIFEST_KEYS & fields.keys()):
        return {"title": name}, fields
    if "graph" not in fields:
        raise WorkflowError('it has no "graph". Put the nodes of the API export there.')
    return {key: fields[key] for key in fields if key != "graph"}, fields["graph"]


def _is_node(value: object) -> bool:
    return isinstance(value, dict) and "class_type" in value


def _json(raw: bytes) -> object:
    try:
        # utf-8-sig: some editors on Windows begin a file with a byte order mark.
        return json.loads(
            raw.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_constant
        )
    except (ValueError, RecursionError) as exc:
        raise WorkflowError(f"it is no JSON: {exc}. Export it again.") from exc


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, many in Counter(key for key, _ in pairs).items() if many > 1)
        raise ValueError(f'the key "{shown(twice)}" stands twice in one object')
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
