"""The policy as the operator sees it: in force, as new as its files, with their texts.

A console that starts while the files are broken says so, and has the policy once they are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import anyio

from comfy_mcp.errors import ConfigError
from comfy_mcp.guard.loading import Loaded
from comfy_mcp.guard.source import PolicySource

__all__ = ["PolicyView", "without_secrets"]

MOST_TEXT = 100_000
"""Characters of one file that are shown."""

CUT = "\n... (the file is longer)"


class PolicyView:
    """The policy of *paths*, without any the built-in one."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths
        self._source: PolicySource | None = None
        self._broken: str | None = None
        self._shown: tuple[Loaded | None, str] = (None, "")
        """What was shown last of which policy."""

    @property
    def loaded(self) -> Loaded | None:
        """The policy in force, if there ever was one."""
        return None if self._source is None else self._source.current

    @property
    def degraded(self) -> str | None:
        """Why the newest files cannot be used."""
        return self._broken if self._source is None else self._source.degraded

    async def refresh(self) -> None:
        """Look at the files."""
        if self._source is None:
            try:
                self._source = await anyio.to_thread.run_sync(PolicySource, self._paths)
            except ConfigError as error:
                self._broken = str(error)
        else:
            await self._source.refresh()

    def as_object(self) -> dict[str, Any]:
        """All that the page shows of it."""
        loaded = self.loaded
        if loaded is not None and loaded is not self._shown[0]:
            self._shown = (loaded, _text(loaded.texts))
        return {
            "files": [] if loaded is None else list(loaded.sources),
            "revision": "" if loaded is None else loaded.revision,
            "warnings": [] if loaded is None else list(loaded.warnings),
            "degraded": self.degraded,
            "text": self._shown[1],
        }


def without_secrets(text: str) -> str:
    """The text of a policy with no more of a webhook's URL than where it is.

    Path and query of such a URL are all it takes to write there.
    """
    shown = _URL.sub(_place_only, text)
    try:
        clean, told = _walk(json.loads(text), _bare), json.loads(shown)
    except (ValueError, RecursionError):
        # No policy: whatever looks like a URL is cut.
        return re.sub(r"(https?:)[^\s\"]+", r"\1...", text)
    # Written with escapes it was not seen: then the meaning is shown, not the text.
    return shown if told == clean else json.dumps(clean, indent=2, ensure_ascii=False)


_URL = re.compile(r'("webhook"\s*:\s*")((?:[^"\\]|\\.)*)(")')


def _place_only(found: re.Match[str]) -> str:
    return found[1] + _place(found[2]) + found[3]


def _place(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        return "..."
    return f"{parts.scheme}://{host}{port}/..." if host.isascii() and host else "..."


def _bare(key: str, value: object) -> object:
    return _place(value) if key == "webhook" and isinstance(value, str) else value


def _walk(value: object, change: Callable[[str, object], object]) -> object:
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return {key: change(key, _walk(one, change)) for key, one in pairs}
    if isinstance(value, list):
        return list(map(partial(_walk, change=change), cast("list[object]", value)))
    return value


def _text(texts: tuple[tuple[str, str], ...]) -> str:
    """The texts of all files, each under its name if there are several."""
    shown = [(name, _cut(without_secrets(text))) for name, text in texts]
    if len(shown) == 1:
        return shown[0][1]
    return "\n\n".join(f"// {name}\n{text}" for name, text in shown)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + CUT
