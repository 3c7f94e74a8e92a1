"""Each node does to pictures, masks and text what ComfyUI's node of that name does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from comfy_mcp.embedded import PROFILES
from comfy_mcp.embedded.nodes import ALL, catalogue

if TYPE_CHECKING:
    from tests.embedded.desk import Bench

RED, BLUE = 0xFF0000, 0x0000FF


def flat(bench: Bench, color: int, size: tuple[int, int] = (8, 4), batch: int = 1) -> Any:
    """A batch of one colour."""
    width, height = size
    [found] = bench.run("EmptyImage", width=width, height=height, batch_size=batch, color=color)
    return found


def split(size: int = 8) -> Image.Image:
    """Black on the left, white on the right."""
    picture = Image.new("RGB", (size, size), "black")
    picture.paste("white", (size // 2, 0, size, size))
    return picture


def test_names_are_unique_and_every_output_has_one() -> None:
    assert len({node.name for node in ALL}) == len(ALL)
    for node in ALL:
        assert len(node.output_names or node.outputs) == len(node.outputs)
        assert len(node.list_outputs) == len(node.outputs)
        assert node.input("no such input") is None


def test_what_a_version_did_not_have_is_not_there() -> None:
    assert "SaveText" in catalogue(PROFILES["0.33"])
    assert "SaveText" not in catalogue(PROFILES["0.3.64"])


@pytest.mark.parametrize(
    ("mode", "pixel"),
    [
        ("normal", (0, 0, 255)),
        ("multiply", (0, 0, 0)),
        ("screen", (255, 0, 255)),
        ("overlay", (255, 0, 0)),
        ("soft_light", (255, 0, 0)),
        ("difference", (255, 0, 0)),
    ],
)
def test_pictures_are_blended(bench: Bench, mode: str, pixel: tuple[int, int, int]) -> None:
    one, two = flat(bench, RED), flat(bench, BLUE, size=(4, 4), batch=2)

    [found] = bench.run("ImageBlend", image1=one, image2=two, blend_factor=1.0, blend_mode=mode)

    assert [each.size for each in found] == [(8, 4)] * 2
    assert found[0].getpixel((3, 2)) == pixel


def test_a_blur_makes_an_edge_soft_and_keeps_a_plain_picture(bench: Bench) -> None:
    plain, edge = flat(bench, RED)[0], split(32)

    [found] = bench.run("ImageBlur", image=[plain, edge], blur_radius=8, sigma=2.0)

    assert found[0].getpixel((3, 2)) == (255, 0, 0)
    assert 60 < found[1].getpixel((16, 16))[0] < 195


def test_sharpening_makes_an_edge_harder(bench: Bench) -> None:
    [soft] = bench.run("ImageBlur", image=[split(32)], blur_radius=4, sigma=1.0)

    [hard] = bench.run("ImageSharpen", image=soft, sharpen_radius=2, sigma=1.0, alpha=1.0)

    assert hard[0].getpixel((13, 16))[0] < soft[0].getpixel((13, 16))[0]


@pytest.mark.parametrize("dither", ["none", "floyd-steinberg", "bayer-2", "bayer-4", "bayer-8"])
def test_few_colours_are_left(bench: Bench, dither: str) -> None:
    ramp = Image.linear_gradient("L").convert("RGB")

    [found] = bench.run("ImageQuantize", image=[ramp], colors=4, dither=dither)

    assert len(found[0].getcolors()) <= 4
    assert found[0].mode == "RGB"


def test_colours_are_inverted(bench: Bench) -> None:
    [found] = bench.run("ImageInvert", image=flat(bench, RED))

    assert found[0].getpixel((0, 0)) == (0, 255, 255)


@pytest.mark.parametrize(
    ("asked", "size"),
    [((4, 2), (4, 2)), ((0, 0), (8, 4)), ((0, 8), (16, 8)), ((16, 0), (16, 8))],
)
def test_zero_keeps_the_shape_when_scaling(
    bench: Bench, asked: tuple[int, int], size: tuple[int, int]
) -> None:
    [found] = bench.run(
        "ImageScale",
        image=flat(bench, RED),
        upscale_method="bilinear",
        width=asked[0],
        height=asked[1],
        crop="disabled",
    )

    assert found[0].size == size


def test_a_centre_crop_cuts_instead_of_squeezing(bench: Bench) -> None:
    picture = Image.new("RGB", (90, 30), "red")
    picture.paste("lime", (30, 0, 60, 30))
    to = {"image": [picture], "upscale_method": "nearest-exact", "width": 30, "height": 30}

    [cut] = bench.run("ImageScale", **to, crop="center")
    [squeezed] = bench.run("ImageScale", **to, crop="disabled")

    assert cut[0].getpixel((1, 15)) == (0, 255, 0)
    assert squeezed[0].getpixel((1, 15)) == (255, 0, 0)


def test_scaling_by_a_factor_and_to_a_number_of_pixels(bench: Bench) -> None:
    picture = flat(bench, RED, size=(100, 50))

    [double] = bench.run("ImageScaleBy", image=picture, upscale_method="area", scale_by=2.0)
    [mega] = bench.run(
        "ImageScaleToTotalPixels",
        image=picture,
        upscale_method="lanczos",
        megapixels=0.125,
        resolution_steps=8,
    )

    assert double[0].size == (200, 100)
    assert mega[0].size == (512, 256)


def test_a_crop_stays_inside(bench: Bench) -> None:
    [inside] = bench.run("ImageCrop", image=[split()], width=4, height=2, x=4, y=1)
    [edge] = bench.run("ImageCrop", image=[split()], width=100, height=100, x=90, y=6)

    assert (inside[0].size, inside[0].getpixel((0, 0))) == ((4, 2), (255, 255, 255))
    assert edge[0].size == (1, 2)


def test_pictures_are_turned_clockwise_and_flipped(bench: Bench) -> None:
    [turned] = bench.run("ImageRotate", image=[split()], rotation="90 degrees")
    [same] = bench.run("ImageRotate", image=[split()], rotation="none")
    [flipped] = bench.run("ImageFlip", image=[split()], flip_method="y-axis: horizontally")

    assert turned[0].getpixel((0, 0)) == (0, 0, 0)
    assert turned[0].getpixel((0, 7)) == (255, 255, 255)
    assert same[0].getpixel((0, 0)) == (0, 0, 0)
    assert flipped[0].getpixel((0, 0)) == (255, 255, 255)


def test_padding_is_grey_and_its_mask_white_with_soft_seams(bench: Bench) -> None:
    sides = {"left": 8, "top": 0, "right": 0, "bottom": 0}

    [padded], [mask] = bench.run(
        "ImagePadForOutpaint", image=flat(bench, RED, size=(32, 32)), **sides, feathering=8
    )
    _, [hard] = bench.run(
        "ImagePadForOutpaint", image=flat(bench, RED, size=(32, 32)), **sides, feathering=0
    )

    assert padded.size == mask.size == (40, 32)
    assert padded.getpixel((0, 0)) == (127, 127, 127)
    assert padded.getpixel((20, 20)) == (255, 0, 0)
    row = [mask.getpixel((x, 16)) for x in range(40)]
    assert row[:8] == [255] * 8
    assert row[8:17] == sorted(row[8:17], reverse=True)
    assert row[17:] == [0] * 23
    assert [hard.getpixel((x, 16)) for x in (7, 8)] == [255, 0]


def test_batches_are_joined_repeated_picked_and_split(bench: Bench) -> None:
    one, two = flat(bench, RED, batch=2), flat(bench, BLUE, size=(4, 4))

    [joined] = bench.run("ImageBatch", image1=one, image2=two)
    [repeated] = bench.run("RepeatImageBatch", image=joined, amount=2)
    [last] = bench.run("ImageFromBatch", image=joined, batch_index=-1, length=5)
    [split_up] = bench.run("RebatchImages", images=[joined, two], batch_size=[3])
    sizes = bench.run("GetImageSize", image=joined)

    assert [each.size for each in joined] == [(8, 4)] * 3
    assert len(repeated) == 6
    assert [each.getpixel((0, 0)) for each in last] == [(0, 0, 255)]
    assert [len(batch) for batch in split_up] == [3, 1]
    assert sizes == (8, 4, 3)


def test_masks_are_pictures_of_one_band(bench: Bench) -> None:
    [solid] = bench.run("SolidMask", value=0.5, width=4, height=4)
    [shown] = bench.run("MaskToImage", mask=solid)
    [red] = bench.run("ImageToMask", image=flat(bench, RED), channel="red")
    [inverted] = bench.run("InvertMask", mask=red)

    assert solid[0].getpixel((0, 0)) == 128
    assert shown[0].getpixel((0, 0)) == (128, 128, 128)
    assert (red[0].getpixel((0, 0)), inverted[0].getpixel((0, 0))) == (255, 0)
    with pytest.raises(IndexError):
        bench.run("ImageToMask", image=flat(bench, RED), channel="alpha")


def test_values_pass_through_and_text_is_joined_and_replaced(bench: Bench) -> None:
    assert bench.run("PrimitiveInt", value=5) == (5,)
    joined = bench.run("StringConcatenate", string_a="a", string_b="b", delimiter="-")
    assert joined == ("a-b",)
    swap = {"string": "Ab\nab", "regex_pattern": "^a.", "replace": "x"}
    assert bench.run("RegexReplace", **swap) == ("x\nab",)
    assert bench.run("RegexReplace", **swap, multiline=True, case_insensitive=False) == ("Ab\nx",)
    dots = {"string": "a\nb", "regex_pattern": "a.b", "replace": ""}
    assert bench.run("RegexReplace", **dots, dotall=True, count=1) == ("",)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "a"), (5, "5"), (True, "True"), (None, "None"), ([1], "[\n    1\n]")],
)
def test_anything_can_be_shown_as_text(bench: Bench, value: Any, shown: str) -> None:
    assert bench.run("PreviewAny", source=value) == (shown,)


def test_what_is_no_json_is_shown_as_python_does(bench: Bench) -> None:
    assert "Image" in bench.run("PreviewAny", source=flat(bench, RED))[0]


def test_saved_json_is_made_pretty_if_it_is_json(bench: Bench) -> None:
    for content in ('{"a":1}', "{"):
        bench.run("SaveText", text=content, filename_prefix="t", format="json")

    folder = bench.folders.output
    assert json.loads((folder / "t_00001.json").read_text()) == {"a": 1}
    assert "\n" in (folder / "t_00001.json").read_text()
    assert (folder / "t_00002.json").read_text() == "{"


def test_a_batch_number_may_be_part_of_the_name(bench: Bench) -> None:
    result = bench.result(
        "SaveImage", images=flat(bench, RED, batch=2), filename_prefix="b%batch_num%"
    )

    names = [entry["filename"] for entry in result.ui["images"]]
    assert names == ["b0_00001_.png", "b1_00002_.png"]
