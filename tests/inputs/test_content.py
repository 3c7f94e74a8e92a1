"""What was judged is what is sent: bytes are copied once, bounded, and summed on the way."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from comfy_mcp.errors import InputError
from comfy_mcp.inputs import held
from comfy_mcp.inputs.content import IN_MEMORY


@pytest.mark.parametrize("size", [1, IN_MEMORY, IN_MEMORY + 1])
def test_small_and_large_files_are_held_as_they_are(size: int) -> None:
    data = b"x" * size

    with held(io.BytesIO(data), most=size) as content:
        assert content.size == size
        assert content.sha256 == hashlib.sha256(data).hexdigest()
        assert content.whole() == data


def test_a_file_that_changes_later_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")

    with path.open("rb") as file, held(file, most=100) as content:
        path.write_bytes(b"after it")
        assert content.whole() == b"before"


def test_a_file_that_grows_while_it_is_read_is_refused() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            return b"x" * size

    with pytest.raises(InputError, match="more than 1000000"), held(Endless(), most=1_000_000):  # type: ignore[arg-type]  # only read is used
        pass


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(InputError, match="empty"), held(io.BytesIO(), most=10):
        pass
