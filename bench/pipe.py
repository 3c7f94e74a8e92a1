"""A client of a few lines on a stdio server: nothing in it can hide what the server takes."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from bench.places import Place, command

__all__ = ["LEGACY", "MODERN", "Pipe"]

LEGACY = "2025-11-25"
MODERN = "2026-07-28"

INFO = {"name": "bench", "version": "1"}


class Pipe:
    """A server process, and one request after the other in the protocol *era*."""

    def __init__(self, arguments: tuple[str, ...], place: Place, era: str) -> None:
        self._era = era
        self._id = 0
        self._child = subprocess.Popen(  # noqa: S603 - our own files
            command(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=place.environment(),
            cwd=place.folder,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child.stdin is not None:
            with suppress(BrokenPipeError):
                self._child.stdin.close()
        try:
            self._child.wait(15)
        finally:
            self._child.kill()
            self._child.wait()
            if self._child.stdout is not None:
                self._child.stdout.close()

    @property
    def pid(self) -> int:
        """The process."""
        return self._child.pid

    def greet(self) -> None:
        """Say hello as the era demands."""
        if self._era == MODERN:
            self.ask("server/discover")
            return
        hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": INFO}
        self.ask("initialize", **hello)
        self._send({"method": "notifications/initialized"})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one request.

        Raises:
            RuntimeError: the server answered with an error, or went.
        """
        self._id += 1
        if self._era == MODERN:
            prefix = "io.modelcontextprotocol/"
            params["_meta"] = {
                f"{prefix}protocolVersion": MODERN,
                f"{prefix}clientInfo": INFO,
                f"{prefix}clientCapabilities": {},
            }
        self._send({"id": self._id, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._id:
                if "result" not in message:
                    raise RuntimeError(f"{method} failed: {message}")
                result: dict[str, Any] = message["result"]
                return result

    def _send(self, message: dict[str, Any]) -> None:
        if self._child.stdin is None:
            raise AssertionError("a pipe was asked for")
        self._child.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._child.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        if self._child.stdout is None:
            raise AssertionError("a pipe was asked for")
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with status {self._child.wait()}")
        message: dict[str, Any] = json.loads(line)
        return message
