"""Pictures that were uploaded come in with their colours, masks and frames, and only those."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from comfy_mcp.embedded import PROFILES
from comfy_mcp.embedded.nodes import catalogue

if TYPE_CHECKING:
    from tests.embedded.desk import Bench


def test_an_uploaded_picture_gives_colour_and_mask(bench: Bench) -> None:
    Image.new("RGBA", (6, 6), (255, 0, 0, 55)).save(bench.folders.input / "a.png")
    Image.new("RGB", (6, 6), (1, 2, 3)).save(bench.folders.temp / "b.png")

    [picture], [mask] = bench.run("LoadImage", image="a.png")
    [plain], [no_mask] = bench.run("LoadImage", image="b.png [temp]")
    [green] = bench.run("LoadImageMask", image="b.png [temp]", channel="green")
    [alpha] = bench.run("LoadImageMask", image="a.png", channel="alpha")

    assert (picture.mode, picture.getpixel((0, 0))) == ("RGB", (255, 0, 0))
    assert mask.getpixel((0, 0)) == 200
    assert plain.getpixel((0, 0)) == (1, 2, 3)
    assert (no_mask.size, no_mask.getpixel((0, 0))) == ((64, 64), 0)
    assert green[0].getpixel((0, 0)) == 2
    assert alpha[0].getpixel((0, 0)) == 200


def test_an_animation_loads_as_a_batch(bench: Bench) -> None:
    frames = [Image.new("RGB", (6, 6), color) for color in ("red", "lime", "blue")]
    path = bench.folders.input / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])

    pictures, _masks = bench.run("LoadImage", image="a.gif")

    assert len(pictures) == 3


def test_a_picture_outside_the_folder_is_not_loaded(bench: Bench) -> None:
    node = catalogue(PROFILES["0.33"])["LoadImage"]
    (bench.folder / "secret.png").write_bytes(b"x")

    assert node.check is not None
    assert node.check(bench.folders, {"image": "../secret.png"}) is not None
    with pytest.raises(AttributeError, match="'int' object has no attribute 'endswith'"):
        node.check(bench.folders, {"image": 5})
    assert node.fingerprint is not None
    assert node.fingerprint(bench.folders, {"image": "../secret.png"}) == "missing"
    with pytest.raises(ValueError, match="Invalid file path"):
        bench.run("LoadImage", image="../secret.png")


def test_uploaded_pictures_are_offered(bench: Bench) -> None:
    for name in ("b.png", "a.jpg", "notes.txt"):
        (bench.folders.input / name).write_bytes(b"")

    choice = catalogue(PROFILES["0.33"])["LoadImage"].input("image")

    assert choice is not None
    assert choice.choices(bench.folders) == ["a.jpg", "b.png"]
