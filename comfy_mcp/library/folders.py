"""Workflows on disk: those shipped with this package and those of the operator's own folders."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comfy_mcp.errors import ConfigError, WorkflowError
from comfy_mcp.library.names import is_plain
from comfy_mcp.library.reading import Draft, read_draft
from comfy_mcp.workflow import MAX_BYTES, Graph, Manifest, listed, nearest, shown

__all__ = ["Library", "LibraryWorkflow", "shipped_folder"]

_PACKAGE = Path(__file__).resolve().parent.parent


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
    draft: Draft


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
            if not is_plain(path.stem)
        )

    def has(self, name: str) -> bool:
        """Whether there is a file for *name*, broken or not.

        Raises:
            WorkflowError: a folder cannot be read.
        """
        if not is_plain(name):
            return False
        try:
            return any(_is_there(folder / f"{name}.json") for folder in self._folders)
        except OSError as exc:
            raise _unreadable(f"{name}.json", exc) from exc

    def load(self, name: str) -> LibraryWorkflow:
        """The workflow *name* as it can be run without asking ComfyUI about its nodes.

        Raises:
            WorkflowError: there is none of that name, its file is broken, or is in the format of
                ComfyUI's editor.
        """
        draft = self.draft(name)
        if draft.graph is None:
            raise WorkflowError(
                f"Library file {name}.json: it is in the format of ComfyUI's editor, which only a"
                " ComfyUI can help to read. Save it with Workflow > Export (API)."
            )
        manifest = draft.manifest
        return LibraryWorkflow(name, manifest.title, manifest.description, manifest, draft.graph)

    def draft(self, name: str) -> Draft:
        """Read the workflow *name*, or what was read before if the file is still the same.

        Raises:
            WorkflowError: there is none of that name, or its file is broken.
        """
        if is_plain(name):
            for folder in self._folders:
                found = self._draft(name, folder)
                if found is not None:
                    return found
        raise WorkflowError(_unknown(name, self.names()))

    def _draft(self, name: str, folder: Path) -> Draft | None:
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
                known = _Read(mark, _drafted(name, raw))
                self._read[path] = known
        except OSError as exc:
            raise _unreadable(path.name, exc) from exc
        return known.draft


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
    return tuple(path.stem for path in _files_in(folder) if is_plain(path.stem))


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


def _unreadable(file: str, exc: OSError) -> WorkflowError:
    return WorkflowError(
        f"Library file {file} cannot be read ({exc.strerror}). Check its permissions."
    )


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


def _drafted(name: str, raw: bytes) -> Draft:
    try:
        return read_draft(name, raw)
    except WorkflowError as exc:
        raise WorkflowError(
            f"Library file {name}.json: {exc}", node_id=exc.node_id, input_name=exc.input_name
        ) from exc
