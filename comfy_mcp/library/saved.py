"""Workflows that agents saved: one file each, in a folder of the state, made and changed here only.

A file is ``{"saved_by": GRANT, "saved_ms": TIME, "title", "description", "parameters", "graph"}``.
A caller sees its own and nobody else's: what another agent wrote is no business of its, and could
be meant to mislead it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from comfy_mcp.errors import StateError, WorkflowError
from comfy_mcp.library.locking import alone
from comfy_mcp.library.names import is_plain, may_be_saved
from comfy_mcp.library.reading import Draft, drafted, parts_of, read_json
from comfy_mcp.workflow import nearest, shown

__all__ = [
    "MOST_BYTES",
    "MOST_EACH",
    "MOST_TOTAL",
    "Done",
    "SavedEntry",
    "SavedWorkflow",
    "SavedWorkflows",
]

Done = Literal["saved", "replaced", "unchanged"]

MOST_BYTES = 1024 * 1024
"""Of one file."""

MOST_EACH = 200
"""Files of one grant."""

MOST_TOTAL = 20 * 1024 * 1024
"""Bytes of all files of one grant together."""

MOST_WORDS = 400
"""Characters of a description that are remembered."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class SavedEntry:
    """What is remembered of a saved workflow of *grant*, of *size* bytes; not its nodes."""

    name: str
    grant: str
    size: int
    title: str
    description: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """A saved workflow: *parts* are manifest keys and "graph", *draft* is what they say."""

    name: str
    grant: str
    saved_ms: int
    parts: Mapping[str, Any]
    draft: Draft


@dataclass(frozen=True, slots=True)
class _Read:
    mark: tuple[int, int, int]
    entry: SavedEntry | None


class SavedWorkflows:
    """The workflows in *folder*, which is made when the first one is saved.

    It reads and writes files: call it from a thread.
    """

    def __init__(self, folder: Path, *, now_ms: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ms = now_ms
        self._read: dict[str, _Read] = {}

    def entries(self, grant: str) -> tuple[SavedEntry, ...]:
        """What *grant* saved, by name.

        Raises:
            StateError: the folder cannot be used.
        """
        return tuple(one for one in self._all() if one.grant == grant)

    def names(self, grant: str) -> tuple[str, ...]:
        """The names of what *grant* saved, sorted.

        Raises:
            StateError: the folder cannot be used.
        """
        return tuple(one.name for one in self.entries(grant))

    def has(self, name: str, grant: str) -> bool:
        """Whether *grant* saved *name*.

        Raises:
            StateError: the folder cannot be used.
        """
        found = self._entry(name) if self._is_there() else None
        return found is not None and found.grant == grant

    def load(self, name: str, grant: str) -> SavedWorkflow:
        """What *grant* saved as *name*.

        Raises:
            WorkflowError: it saved nothing under that name.
            StateError: the folder cannot be used.
        """
        found = self._whole(name) if self._is_there() else None
        if found is None or found.grant != grant:
            raise WorkflowError(_unknown(name, self.names(grant)))
        return found

    def save(self, name: str, grant: str, parts: dict[str, Any], *, overwrite: bool) -> Done:
        """Write *parts* (manifest keys and "graph") as *name* of *grant*.

        Raises:
            WorkflowError: the name cannot be had, or it would be too much.
            StateError: the folder cannot be used.
        """
        if not may_be_saved(name):
            raise WorkflowError(_NAME)
        body = {"saved_by": grant, "saved_ms": self._now_ms(), **parts}
        content = json.dumps(body, ensure_ascii=False, allow_nan=False, indent=1).encode()
        if len(content) > MOST_BYTES:
            raise WorkflowError(
                f"The workflow has {len(content)} bytes as a file; {MOST_BYTES} can be saved."
                " Upload pictures and other data as files, and name the files in it."
            )
        with self._writing():
            is_new = self._is_new(name, grant)
            if not is_new:
                # The same again does nothing: a call whose answer was lost may be repeated.
                if self.load(name, grant).parts == parts:
                    return "unchanged"
                if not overwrite:
                    raise WorkflowError(
                        f"You saved another workflow as {name} before, and it stays. Choose another"
                        " name; or replace it: save_workflow with overwrite true, or edit"
                        f" saved/{name} itself."
                    )
            self._must_fit(name, grant, len(content))
            _write(self._folder, f"{name}.json", content)
        return "saved" if is_new else "replaced"

    def delete(self, name: str, grant: str) -> None:
        """Take away what *grant* saved as *name*.

        Raises:
            WorkflowError: it saved nothing under that name.
            StateError: the folder cannot be used.
        """
        self.load(name, grant)
        with self._writing():
            self.load(name, grant)
            (self._folder / f"{name}.json").unlink()

    def _is_new(self, name: str, grant: str) -> bool:
        """Whether nothing is there as *name*; False: it is *grant*'s own.

        Raises:
            WorkflowError: it is somebody else's, or was not made here.
        """
        known = self._entry(name)
        if known is not None and known.grant == grant:
            return False
        if _is_there(self._folder / f"{name}.json"):
            raise WorkflowError(f"The name {name} is taken. Choose another.")
        return True

    def _must_fit(self, name: str, grant: str, size: int) -> None:
        others = [one for one in self.entries(grant) if one.name != name]
        if len(others) >= MOST_EACH or sum(one.size for one in others) + size > MOST_TOTAL:
            raise WorkflowError(
                f"You have saved {len(others)} other workflows, and {MOST_EACH} of"
                f" {MOST_TOTAL // 1024**2} MiB together is the most there can be: delete one first."
            )

    def _all(self) -> Iterator[SavedEntry]:
        if not self._is_there():
            return
        with self._disk():
            stems = sorted(path.stem for path in self._folder.iterdir() if path.suffix == ".json")
        # A copy of the keys: other threads may be at it, too.
        for gone in set(self._read) - set(stems):
            self._read.pop(gone, None)
        for stem in stems:
            found = self._entry(stem)
            if found is not None:
                yield found

    def _entry(self, name: str) -> SavedEntry | None:
        """The workflow *name*, whoever saved it; None: there is none that was made here."""
        with self._disk(), self._opened(name) as file:
            if file is None:
                return None
            state = os.fstat(file.fileno())
            mark = (state.st_mtime_ns, state.st_size, state.st_ino)
            known = self._read.get(name)
            if known is None or known.mark != mark:
                found = _saved(name, file.read(MOST_BYTES + 1))
                known = _Read(mark, None if found is None else _entry_of(found, state.st_size))
                self._read[name] = known
            return known.entry

    def _whole(self, name: str) -> SavedWorkflow | None:
        with self._disk(), self._opened(name) as file:
            return None if file is None else _saved(name, file.read(MOST_BYTES + 1))

    @contextlib.contextmanager
    def _opened(self, name: str) -> Generator[BinaryIO | None]:
        held = _descriptor(self._folder / f"{name}.json") if is_plain(name) else None
        if held is None:
            yield None
            return
        with os.fdopen(held, "rb") as file:
            yield file

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        with self._disk():
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._is_there()
            with alone(self._folder):
                yield

    def _is_there(self) -> bool:
        """Whether the folder is there, and ours alone.

        Raises:
            StateError: it is a link, or others can write into it.
        """
        with self._disk():
            try:
                info = self._folder.lstat()
            except FileNotFoundError:
                return False
        if not stat.S_ISDIR(info.st_mode):
            raise self._fault("is a link or a file. Put a folder there, or take it away")
        if sys.platform != "win32":
            if info.st_uid != os.geteuid():
                raise self._fault("belongs to another user. Take it away")
            if info.st_mode & _OTHERS_WRITE:
                raise self._fault("can be changed by other users. Run chmod go-rwx on it")
            if info.st_mode & _OTHERS:
                self._folder.chmod(0o700)
        return True

    @contextlib.contextmanager
    def _disk(self) -> Generator[None]:
        try:
            yield
        except TimeoutError:
            raise self._fault("is held by another process for too long. Try again") from None
        except OSError as exc:
            raise self._fault(f"cannot be used ({exc.strerror}). Check its permissions") from exc

    def _fault(self, words: str) -> StateError:
        return StateError(f"The folder of saved workflows {self._folder} {words}.")


_NAME = (
    "A workflow's name has small letters, digits, - and _ only, begins with a letter or digit, has"
    " at most 64 characters, and is no device's name on Windows."
)


def _saved(name: str, raw: bytes) -> SavedWorkflow | None:
    """The content of a file; None if it was not made here."""
    try:
        about, nodes = parts_of(name, read_json(raw))
        grant, saved_ms = about.pop("saved_by"), about.pop("saved_ms")
        if len(raw) > MOST_BYTES or not isinstance(grant, str) or not isinstance(saved_ms, int):
            return None
        parts = {**about, "graph": nodes}
        return SavedWorkflow(name, grant, saved_ms, parts, drafted(about, nodes))
    except (WorkflowError, KeyError):
        return None


def _entry_of(found: SavedWorkflow, size: int) -> SavedEntry:
    about = found.draft.manifest
    return SavedEntry(
        found.name, found.grant, size, about.title, about.description[:MOST_WORDS], about.names
    )


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _descriptor(path: Path) -> int | None:
    """A descriptor of the plain file *path*; None if there is no such file, or a link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        return os.open(path, flags)
    except FileNotFoundError:
        return None


def _write(folder: Path, name: str, content: bytes) -> None:
    """Put *content* there whole or not at all, also if the power goes."""
    temporary = folder / f".{name}.{os.getpid()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sys.platform != "win32":
        held = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(held)
        finally:
            os.close(held)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    close = nearest(name, known)
    hint = f' Did you mean "saved/{close}"?' if close else " list_workflows names what there is."
    return f'You have saved no workflow "{shown(name)}".{hint}'
