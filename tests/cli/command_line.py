"""The program as a person starts it: a process of its own, with a clean environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60
"""The most any command may take here."""

KEPT = ("PATH", "PYTHONDONTWRITEBYTECODE", "COVERAGE_PROCESS_START", "SYSTEMROOT")


class Process(subprocess.Popen[str]):
    """A process that is not waited for when its test has failed."""

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        """End it, if need be by force."""
        if kind is not None:
            self.kill()
        super().__exit__(kind, *more)


@dataclass(frozen=True)
class CommandLine:
    """Runs commands in *folder*, which is also their home and has their state."""

    folder: Path

    @property
    def state(self) -> Path:
        """The server's state folder."""
        return self.folder / "state"

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a command, with *more* laid over it."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {"HOME": str(self.folder), "COMFY_MCP_STATE": str(self.state), "LANG": "C.UTF-8"}
        return {**kept, **own, **(more or {})}

    def run(
        self, *words: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; stdin is empty."""
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "comfy_mcp", *words],
            cwd=self.folder,
            env=self.environ(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(
        self,
        *words: str,
        stdin: int = subprocess.PIPE,
        env: Mapping[str, str] | None = None,
        under: tuple[str, ...] = (),
    ) -> Process:
        """Start, by the program *under* if there is one, and leave running.

        It ends with the test's `with`.
        """
        return Process(
            [*under, sys.executable, "-m", "comfy_mcp", *words],
            cwd=self.folder,
            env=self.environ(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def end(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal and wait, with stdin left open; exit status and the rest of stderr."""
    process.send_signal(number)
    status = process.wait(SECONDS)
    assert process.stderr is not None
    return status, process.stderr.read()
