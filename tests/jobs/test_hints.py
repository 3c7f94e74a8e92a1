"""Errors people meet most come with advice, and no message tells where files lie."""

from __future__ import annotations

import pytest

from comfy_mcp.host import NodeFailure
from comfy_mcp.jobs.hints import clean, hint


@pytest.mark.parametrize(
    ("kind", "message", "advice"),
    [
        ("torch.OutOfMemoryError", "Allocation on device", "smaller width and height"),
        ("RuntimeError", "CUDA error: out of memory", "smaller width and height"),
        ("Exception", "Saving image outside the output folder is not allowed.", "'..'"),
        ("FileNotFoundError", "x.safetensors", "check its name"),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", "of one family"),
    ],
)
def test_known_errors_come_with_advice(kind: str, message: str, advice: str) -> None:
    told = hint(NodeFailure(kind, message))

    assert told is not None
    assert advice in told


def test_an_unknown_error_comes_without() -> None:
    assert hint(NodeFailure("ValueError", "odd")) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/home/ann/ComfyUI/models/x.pt'", "No such file: '…/x.pt'"),
        (r"No such file: C:\Users\ann\x.pt", "No such file: …/x.pt"),
        ("3 of 4 steps", "3 of 4 steps"),
        ("size 512/64", "size 512/64"),
    ],
)
def test_of_a_path_only_the_name_is_told(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_an_endless_message_is_cut() -> None:
    assert len(clean("x" * 10_000)) == 800


def test_a_message_of_nothing_but_slashes_is_read_at_once() -> None:
    assert clean("/" * 100_000)
    assert clean("/a" * 50_000)
