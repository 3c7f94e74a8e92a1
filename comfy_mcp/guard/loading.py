"""Policy files from disk: several make one policy, none means the built-in one."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_mcp.errors import ConfigError, Fault
from comfy_mcp.guard.lint import faults, warnings
from comfy_mcp.guard.parse import read_policy
from comfy_mcp.guard.policy import Policy
from comfy_mcp.guard.reading import MAX_BYTES, canonical, read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfy_mcp.guard.policy import PolicyFile

__all__ = ["BUILT_IN", "Loaded", "load", "parse"]

BUILT_IN = "built-in policy"
"""How messages and pointers name the policy that is used when no file is given."""

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy that can be used, and what its owner should know about it.

    *sources* are the files it was made of; *revision* is ``sha256:`` and a digest of their
    content, which does not depend on their order, names, white space or order of keys. *texts* has
    each source with its text as it was read; a webhook in it is a secret.
    """

    policy: Policy
    warnings: tuple[str, ...]
    sources: tuple[str, ...]
    revision: str
    texts: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Text:
    """A policy file as text: *source* is its path, *name* what pointers into it begin with."""

    name: str
    source: str
    text: str


def load(paths: Sequence[Path], *, now_ms: int | None = None) -> Loaded:
    """The policy that *paths* make together; without any, the built-in one. Reads the disk.

    *now_ms*, by default the time of this machine, tells which grants to warn about as expired.

    Raises:
        ConfigError: a file cannot be read or is no valid policy; it has all faults of all files.
    """
    if not paths:
        return _combine([_built_in()], now_ms)
    shared = Counter(path.name for path in paths)
    texts: list[_Text] = []
    found: list[Fault] = []
    for path in paths:
        name = path.name if shared[path.name] == 1 else str(path)
        content = _read(path)
        if isinstance(content, Fault):
            found.append(content)
        else:
            texts.append(_Text(name, str(path), content))
    if found:
        # What the readable files say is checked as well, so that all is told at once.
        for text in texts:
            found += read_policy(text.text, f"{text.name}#")[1]
        raise _unusable(tuple(str(path) for path in paths), tuple(found))
    return _combine(texts, now_ms)


def parse(text: str, name: str, *, now_ms: int | None = None) -> Loaded:
    """The policy that *text* alone makes; *name* is for messages, *now_ms* as for `load`.

    Raises:
        ConfigError: it is no valid policy; the error has every fault.
    """
    return _combine([_Text(name, name, text)], now_ms)


def _combine(texts: list[_Text], now_ms: int | None) -> Loaded:
    files, found = _read_all(texts)
    notes: list[str] = []
    if not found and all(file.only_hides for file in files):
        given = ", ".join(text.source for text in texts)
        notes.append(
            f"{given} only hides tools and lists none: it is laid over the built-in policy,"
            ' which says what else may be called. Add "tools" to say it yourself.'
        )
        texts = [*texts, _built_in()]
        files, found = _read_all(texts)
    sources = tuple(text.source for text in texts)
    policy = Policy(files)
    found += faults(policy)
    if found:
        raise _unusable(sources, found)
    at_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    told = (*notes, *warnings(policy, at_ms))
    kept = tuple((text.source, text.text) for text in texts)
    return Loaded(policy, told, sources, _revision(texts), kept)


def _read_all(texts: list[_Text]) -> tuple[tuple[PolicyFile, ...], tuple[Fault, ...]]:
    alone = len(texts) == 1
    read = [read_policy(text.text, "" if alone else f"{text.name}#") for text in texts]
    return tuple(file for file, _ in read), tuple(fault for _, each in read for fault in each)


def _unusable(sources: tuple[str, ...], found: tuple[Fault, ...]) -> ConfigError:
    what = "fault" if len(found) == 1 else "faults"
    message = f"The policy cannot be used ({', '.join(sources)}): correct {len(found)} {what}."
    return ConfigError(message, found)


def _revision(texts: list[_Text]) -> str:
    contents = sorted(canonical(read_json(text.text).value) for text in texts)
    return "sha256:" + hashlib.sha256("\n".join(contents).encode("ascii")).hexdigest()


def _built_in() -> _Text:
    places = (
        _PACKAGE / "_shipped" / "policy.example.json",
        _PACKAGE.parent / "policy.example.json",
    )
    for place in places:
        if place.is_file():
            return _Text(BUILT_IN, BUILT_IN, place.read_text(encoding="utf-8"))
    raise ConfigError(
        "The built-in policy is missing from this installation: install comfy-mcp-guard again,"
        " or name a policy file."
    )


def _read(path: Path) -> str | Fault:
    """The text of *path*, or why it cannot be read or must not be trusted."""
    where = str(path)
    try:
        # Opening a pipe could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            return Fault(where, "this is not a regular file.", "Name a JSON file.")
        with path.open("rb") as file:
            return _trusted(where, os.fstat(file.fileno()).st_mode, file.read(MAX_BYTES + 1))
    except FileNotFoundError:
        return Fault(where, "there is no such file.", "Correct the path, or create the file.")
    except PermissionError:
        return Fault(where, "this file may not be read.", "Give the user of this server access.")
    except (OSError, ValueError) as error:
        return Fault(where, f"this file cannot be read ({error}).", "Correct the path.")


def _trusted(where: str, mode: int, content: bytes) -> str | Fault:
    if os.name != "nt" and mode & stat.S_IWOTH:
        cause = "everybody on this machine may change this file, an agent's tools included."
        return Fault(where, cause, f"Run: chmod o-w {shlex.quote(where)}")
    if len(content) > MAX_BYTES:
        return Fault(where, f"the file has more than {MAX_BYTES} bytes.", "Name a policy file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cause = f"the file is not UTF-8 (byte {error.start})."
        return Fault(where, cause, "Save it as UTF-8.")
