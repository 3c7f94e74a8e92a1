"""What is too large or only seems small costs a server no more memory than its message did."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.inputs.samples import png, png_chunk
from tests.tools.files import FILES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")

MEGABYTE = 1_000_000


class Server:
    """A server process on stdio, spoken to line by line."""

    def __init__(self, folder: Path) -> None:
        policy = folder / "policy.json"
        policy.write_text(json.dumps(FILES))
        known = {name: value for name, value in os.environ.items() if "COMFY" not in name}
        ours = {
            "COMFYUI_HOST": "embedded",
            "COMFY_MCP_POLICY": str(policy),
            "COMFY_MCP_STATE": str(folder / "state"),
        }
        self._errors = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "comfy_mcp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**known, **ours},
        )
        self._number = 0
        about = {"name": "test", "version": "1"}
        self._ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=about)
        self._send({"method": "notifications/initialized"})

    def upload(self, source: str) -> tuple[str, bool]:
        """The words of the answer to an upload, and whether it is an error."""
        given = {"name": "upload_input", "arguments": {"source": source}}
        result = self._ask("tools/call", **given)
        return result["content"][0]["text"], bool(result.get("isError"))

    def megabytes(self) -> float:
        """The most memory that it has had since the last time."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024 / MEGABYTE
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return peak

    def close(self) -> None:
        """End it as a client does."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self._errors.close()

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._number:
                result: dict[str, Any] = answer["result"]
                return result
        raise AssertionError("the server has gone")

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    try:
        running.upload(encoded(png()))  # everything is imported by now
        yield running
    finally:
        running.close()


def encoded(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def chunks(*pieces: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*piece) for piece in pieces)


def header(width: int, height: int, bits: int = 8, color: int = 2) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)


def nothing(megabytes: int) -> bytes:
    """So many zeros, packed."""
    packer = zlib.compressobj(9)
    packed = [packer.compress(bytes(MEGABYTE)) for _ in range(megabytes)]
    return b"".join([*packed, packer.flush()])


BOMBS = {
    "an enormous size": chunks(header(60_000, 60_000), (b"IDAT", nothing(1)), (b"IEND", b"")),
    "one line without end": chunks(header(2**31 - 1, 1), (b"IDAT", nothing(1)), (b"IEND", b"")),
    "more rows than it says": chunks(header(10, 10), (b"IDAT", nothing(1_000)), (b"IEND", b"")),
    "a text without end": chunks(
        header(10, 10), (b"zTXt", b"a\0\0" + nothing(1_000)), (b"IDAT", b""), (b"IEND", b"")
    ),
    "a profile without end": chunks(
        header(10, 10), (b"iCCP", b"a\0\0" + nothing(1_000)), (b"IDAT", b""), (b"IEND", b"")
    ),
}


def test_pictures_that_only_seem_small_take_no_memory(server: Server) -> None:
    before = server.megabytes()

    for bomb in BOMBS.values():
        assert len(bomb) < 2 * MEGABYTE
        server.upload(encoded(bomb))

    assert server.megabytes() - before < 150


def test_a_message_of_100_megabytes_is_refused_in_words_and_forgotten(server: Server) -> None:
    before = server.megabytes()

    words, is_error = server.upload("A" * 100 * MEGABYTE)
    peak = server.megabytes() - before
    again, _ = server.upload(encoded(png()))

    assert is_error
    assert "by their path" in words
    assert len(words) < 500
    # The message itself as it is read, as text and as arguments; nothing is decoded.
    assert peak < 650
    assert "guard-" in again


def test_the_largest_file_that_one_message_may_hold_is_taken(server: Server) -> None:
    before = server.megabytes()
    side = 3_200
    head = b"BM" + struct.pack("<IIIIiiHHIIIIII", 0, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)

    words, is_error = server.upload(encoded(head + bytes(side * side * 3)))

    assert not is_error, words
    assert '"width":3200' in words
    assert server.megabytes() - before < 450
