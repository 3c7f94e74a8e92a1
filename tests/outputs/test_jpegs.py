"""JPEGs are encoded without Python's lock: others get their turns meanwhile."""

from __future__ import annotations

import io
import tempfile
import threading
from typing import Any

import pytest
from PIL import Image

from comfy_mcp.outputs.convert import converted
from comfy_mcp.outputs.jpegs import as_jpeg

OPTIONS: dict[str, Any] = {"quality": 92, "optimize": True, "progressive": True}


def noise(side: int) -> Image.Image:
    return Image.effect_noise((side, side), 90).convert("RGB")


def handles(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each JPEG that is written from now on: whether it goes to a file of the system."""
    kept: list[bool] = []
    save = Image.Image.save

    def watched(self: Image.Image, fp: Any, *rest: Any, **options: Any) -> None:
        kept.append(not isinstance(fp, io.BytesIO) and fp.fileno() > 0)
        save(self, fp, *rest, **options)

    monkeypatch.setattr(Image.Image, "save", watched)
    return kept


def test_another_thread_has_its_turns_during_one_encode() -> None:
    picture = noise(3_000)
    encoding, turns, done = threading.Event(), 0, threading.Event()

    def count() -> None:
        nonlocal turns
        encoding.wait(60)
        while not done.wait(0.001):
            turns += 1

    other = threading.Thread(target=count)
    other.start()
    try:
        encoding.set()
        as_jpeg(picture, **OPTIONS)
    finally:
        done.set()
        other.join(60)

    assert turns > 5


def test_an_export_is_encoded_into_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    png = io.BytesIO()
    noise(64).save(png, "PNG")
    kept = handles(monkeypatch)

    converted(png.getvalue(), "jpeg", max_bytes=2_000)

    assert kept
    assert all(kept)


def test_without_room_for_a_file_it_is_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(64)
    usual = as_jpeg(picture, **OPTIONS)

    def full() -> None:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    assert as_jpeg(picture, **OPTIONS) == usual
