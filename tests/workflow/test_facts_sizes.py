"""Promise: the largest picture is found along every link, and what is not known is said."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.workflow import Facts, Known, parse_graph
from comfy_mcp.workflow.measure import measure

Spec = tuple[str, dict[str, Any]]
PHOTO = Known(pictures={"photo.png": (800, 600), "wave.gif": (100, 50, 24), "notes.txt": None})
LATENT: Spec = ("EmptyLatentImage", {"width": 512, "height": 768, "batch_size": 2})
IMAGE: Spec = ("EmptyImage", {"width": 512, "height": 768, "batch_size": 2})
LOADED: Spec = ("LoadImage", {"image": "photo.png"})


def facts(known: Known = PHOTO, **nodes: Spec) -> Facts:
    sent = {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    return measure(parse_graph(sent), known)


def size(found: Facts) -> tuple[int, int, int]:
    return found.width, found.height, found.batch


SIZES: list[tuple[Spec, Spec, tuple[int, int, int]]] = [
    (LATENT, ("LatentUpscaleBy", {"samples": ["s", 0], "scale_by": 1.5}), (768, 1152, 2)),
    (LATENT, ("LatentUpscaleBy", {"samples": ["s", 0], "scale_by": "1.5"}), (768, 1152, 2)),
    (LATENT, ("LatentUpscale", {"samples": ["s", 0], "width": 2048, "height": 64}), (2048, 768, 2)),
    (LATENT, ("LatentUpscale", {"samples": ["s", 0], "width": 1024, "height": 0}), (1024, 1536, 2)),
    (LATENT, ("LatentRotate", {"samples": ["s", 0], "rotation": "90 degrees"}), (768, 768, 2)),
    (IMAGE, ("ImageScaleBy", {"image": ["s", 0], "scale_by": 4}), (2048, 3072, 2)),
    (IMAGE, ("ImageScale", {"image": ["s", 0], "width": 1000, "height": 10}), (1000, 768, 2)),
    (IMAGE, ("ImageScaleToTotalPixels", {"image": ["s", 0], "megapixels": 16}), (3344, 5017, 2)),
    (
        IMAGE,
        ("ImageScaleToMaxDimension", {"image": ["s", 0], "largest_size": 3000}),
        (2000, 3000, 2),
    ),
    (
        IMAGE,
        ("ImagePadForOutpaint", {"image": ["s", 0], "left": 100, "bottom": 300}),
        (612, 1068, 2),
    ),
    (
        IMAGE,
        ("ImageStitch", {"image1": ["s", 0], "image2": ["s", 0], "direction": "right"}),
        (1024, 768, 2),
    ),
    (IMAGE, ("ImageBatch", {"image1": ["s", 0], "image2": ["s", 0]}), (512, 768, 4)),
    (
        IMAGE,
        ("BatchImagesNode", {"images.image0": ["s", 0], "images.image1": ["s", 0]}),
        (512, 768, 4),
    ),
    (IMAGE, ("RepeatImageBatch", {"image": ["s", 0], "amount": "9"}), (512, 768, 18)),
    (
        IMAGE,
        ("ResizeAndPadImage", {"image": ["s", 0], "target_width": 900, "target_height": 1}),
        (900, 768, 2),
    ),
    (
        LATENT,
        ("LatentCutToBatch", {"samples": ["s", 0], "dim": "x", "slice_size": 1}),
        (512, 768, 128),
    ),
    (
        LATENT,
        ("LatentConcat", {"samples1": ["s", 0], "samples2": ["s", 0], "dim": "x"}),
        (1024, 768, 2),
    ),
    (LATENT, ("SomebodysUpscaler", {"latent": ["s", 0], "upscale_by": 3}), (1536, 2304, 2)),
    (LATENT, ("SomebodysRepeater", {"latent": ["s", 0], "repeats": 3}), (512, 768, 6)),
    (IMAGE, ("SomebodysResizer", {"image": ["s", 0], "width": 4096}), (4096, 768, 2)),
    (IMAGE, ("BakeTextureFromVoxel", {"texture_size": 8192}), (8192, 8192, 2)),
]


@pytest.mark.parametrize(
    ("source", "node", "expected"), SIZES, ids=[spec[0] for _, spec, _ in SIZES]
)
def test_a_node_makes_pictures_of_this_size(
    source: Spec, node: Spec, expected: tuple[int, int, int]
) -> None:
    found = facts(s=source, n=node)

    assert size(found) == expected
    assert not {"width", "height", "megapixels", "batch"} & found.undetermined.keys()


@pytest.mark.parametrize(
    ("how", "below", "expected"),
    [
        ("scale by multiplier", {"multiplier": 8.0}, (4096, 6144)),
        ("scale dimensions", {"width": 2048, "height": 0}, (2048, 3072)),
        ("scale longer dimension", {"longer_size": 3072}, (2048, 3072)),
        ("scale shorter dimension", {"shorter_size": 1024}, (1024, 1536)),
        ("scale total pixels", {"megapixels": 16.0}, (3344, 5017)),
    ],
)
def test_a_resizer_that_is_told_how_by_words(
    how: str, below: dict[str, object], expected: tuple[int, int]
) -> None:
    inputs = {f"resize_type.{name}": value for name, value in below.items()}
    node = ("ResizeImageMaskNode", {"input": ["s", 0], "resize_type": how, **inputs})

    assert size(facts(s=IMAGE, n=node))[:2] == expected


def test_factors_multiply_along_a_chain_and_are_never_lost() -> None:
    chain: dict[str, Spec] = {"u0": LATENT}
    for at in range(1, 30):
        chain[f"u{at}"] = ("LatentUpscaleBy", {"samples": [f"u{at - 1}", 0], "scale_by": 8})
    found = facts(**chain)

    assert (found.width, found.height) == (10**15, 10**15)
    assert found.megapixels == 10**9
    assert found.where["width"] == "u14"


@pytest.mark.parametrize(("factor", "width"), [("1e400", 10**15), ("inf", 10**15), (1e300, 10**15)])
def test_a_factor_beyond_all_bounds_is_the_largest_number(factor: object, width: int) -> None:
    assert (
        facts(s=IMAGE, n=("ImageScaleBy", {"image": ["s", 0], "scale_by": factor})).width == width
    )


def test_not_a_number_is_no_number() -> None:
    found = facts(s=IMAGE, n=("ImageScaleBy", {"image": ["s", 0], "scale_by": "nan"}))

    assert "width" in found.undetermined


def test_the_size_of_a_loaded_picture_is_that_of_the_file() -> None:
    encode = ("VAEEncode", {"pixels": ["s", 0]})

    assert size(facts(s=LOADED, n=encode)) == (800, 600, 1)
    assert size(facts(s=("LoadImage", {"image": "wave.gif"}), n=encode)) == (100, 50, 24)


def test_of_two_files_that_a_loader_may_mean_the_larger_counts() -> None:
    both = Known(pictures={"a.png": (4000, 3000), "a.png [output]": (64, 48)})
    one = Known(pictures={"a.png": (4000, 3000), "a.png [output]": None})
    unread = Known(pictures={"a.png [output]": (64, 48)})

    def scaled(known: Known) -> Facts:
        return facts(
            known,
            load=("LoadImageOutput", {"image": "a.png"}),
            scale=("ImageScaleBy", {"image": ["load", 0], "scale_by": 1.0}),
        )

    assert size(scaled(both))[:2] == (4000, 3000)
    assert size(scaled(one))[:2] == (4000, 3000)
    assert "width" in scaled(unread).undetermined


def test_a_picture_that_is_only_loaded_has_not_been_made() -> None:
    found = facts(s=LOADED, vision=("CLIPVisionEncode", {"image": ["s", 0]}))

    assert size(found) == (0, 0, 0)


@pytest.mark.parametrize("name", ["other.png", "notes.txt"])
def test_a_picture_that_could_not_be_looked_at_leaves_sizes_open(name: str) -> None:
    found = facts(s=("LoadImage", {"image": name}), n=("VAEEncode", {"pixels": ["s", 0]}))
    (unknown,) = found.undetermined["width"]

    assert (unknown.node_id, unknown.input_name) == ("s", "image")
    assert {"width", "height", "megapixels", "batch"} <= found.undetermined.keys()


def test_a_fixed_size_makes_up_for_an_unknown_picture() -> None:
    unseen: Spec = ("LoadImage", {"image": "other.png"})
    scaled = facts(s=unseen, n=("ImageScale", {"image": ["s", 0], "width": 640, "height": 480}))
    cropped = facts(s=unseen, n=("ImageCrop", {"image": ["s", 0], "width": 640, "height": 480}))
    area = facts(s=unseen, n=("ImageScaleToTotalPixels", {"image": ["s", 0], "megapixels": 1}))

    assert (scaled.width, scaled.height) == (640, 480)
    assert not {"width", "height", "megapixels"} & scaled.undetermined.keys()
    assert not {"width", "height", "megapixels"} & cropped.undetermined.keys()
    assert "width" in area.undetermined
    assert "megapixels" not in area.undetermined
    assert area.megapixels == 1.048576


@pytest.mark.parametrize(
    ("model", "width"),
    [
        ("RealESRGAN_x4plus.pth", 3200),
        ("8x_NMKD.pth", 6400),
        ("1x-Skin.pth", 800),
        ("a-2x.pth", 1600),
    ],
)
def test_the_name_of_an_upscaling_model_tells_its_factor(model: str, width: int) -> None:
    found = facts(
        s=LOADED,
        m=("UpscaleModelLoader", {"model_name": model}),
        n=("ImageUpscaleWithModel", {"image": ["s", 0], "upscale_model": ["m", 0]}),
    )

    assert found.width == width
    assert "width" not in found.undetermined


def test_an_upscaling_model_that_tells_nothing_leaves_the_size_open() -> None:
    found = facts(
        s=LOADED,
        m=("UpscaleModelLoader", {"model_name": "sharp.pth"}),
        n=("ImageUpscaleWithModel", {"image": ["s", 0], "upscale_model": ["m", 0]}),
    )

    assert [each.node_id for each in found.undetermined["width"]] == ["m"]


def test_a_sampler_that_enlarges_is_counted() -> None:
    found = facts(
        s=LATENT,
        grow=("SamplerLCMUpscale", {"scale_ratio": 10.0}),
        sigmas=("ManualSigmas", {"sigmas": "1, 0"}),
        n=(
            "SamplerCustom",
            {"sampler": ["grow", 0], "sigmas": ["sigmas", 0], "latent_image": ["s", 0]},
        ),
    )

    assert size(found) == (5120, 7680, 2)


def test_a_measured_size_can_be_counted_with() -> None:
    found = facts(
        s=LOADED,
        size=("GetImageSize", {"image": ["s", 0]}),
        double=("ComfyMathExpression", {"expression": "a * 2", "values.a": ["size", 0]}),
        n=("EmptyImage", {"width": ["double", 1], "height": ["size", 1]}),
    )

    assert size(found) == (1600, 600, 1)


def test_a_bound_cannot_be_counted_with() -> None:
    """Subtracting a bound would turn the larger into the smaller."""
    found = facts(
        s=IMAGE,
        cut=("ImageCropV2", {"image": ["s", 0], "crop_region": {"width": 8, "height": 8}}),
        size=("GetImageSize", {"image": ["cut", 0]}),
        rest=("ComfyMathExpression", {"expression": "9000 - a", "values.a": ["size", 0]}),
        n=("EmptyImage", {"width": ["rest", 1], "height": 64}),
    )

    assert "width" in found.undetermined


def test_a_custom_class_that_says_nothing_leaves_sizes_open() -> None:
    found = facts(s=("Oracle", {}), n=("VAEEncode", {"pixels": ["s", 0]}))
    (unknown,) = found.undetermined["width"]

    assert (unknown.node_id, unknown.input_name) == ("n", "pixels")
    assert "node s (Oracle)" in unknown.why


def test_a_custom_class_passes_on_the_largest_of_what_comes_in() -> None:
    found = facts(
        s=LATENT,
        other=("EmptyLatentImage", {"width": 64, "height": 2048, "batch_size": 1}),
        mix=("Mixer", {"a": ["s", 0], "b": ["other", 0], "resolution": "1024x256 (wide)"}),
        n=("VAEDecode", {"samples": ["mix", 0]}),
    )

    assert size(found) == (1024, 2048, 2)
    assert "width" not in found.undetermined


def test_tiles_are_smaller_and_many() -> None:
    found = facts(
        s=("EmptyImage", {"width": 4096, "height": 4096, "batch_size": 1}),
        tiles=(
            "SplitImageToTileList",
            {"image": ["s", 0], "tile_width": 1024, "tile_height": 1024},
        ),
        latent=("VAEEncode", {"pixels": ["tiles", 0]}),
        n=("KSampler", {"steps": 1, "latent_image": ["latent", 0]}),
    )

    assert found.total_steps == 16


def test_a_video_has_frames() -> None:
    found = facts(
        s=IMAGE,
        more=("RepeatImageBatch", {"image": ["s", 0], "amount": 60}),
        video=("CreateVideo", {"images": ["more", 0]}),
        smooth=("FrameInterpolate", {"images": ["more", 0], "multiplier": 4}),
    )

    assert (found.frames, found.where["frames"]) == (477, "smooth")
    assert found.where["batch"] == "more"


def test_frames_that_go_the_other_way_round_are_frames() -> None:
    found = facts(n=("RenderSplat", {"width": 64, "height": 64, "frames": -120}))

    assert found.frames == 120


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (("ImageCompositor", {"layers": ["s", 0]}), "layers"),
        (("ImageScale", {"image": ["s", 0], "width": ["oracle", 0], "height": 64}), "width"),
        (("ResizeImageMaskNode", {"input": ["s", 0], "resize_type": ["oracle", 0]}), "resize_type"),
        (("LatentUpscaleBy", {"samples": ["s", 0], "scale_by": ["oracle", 0]}), "scale_by"),
        (("Custom", {"image": ["s", 0], "width": ["oracle", 0]}), "width"),
    ],
)
def test_a_size_that_cannot_be_foreseen_is_undetermined(node: Spec, name: str) -> None:
    found = facts(s=IMAGE, n=node, oracle=("Oracle", {}))

    assert [(each.node_id, each.input_name) for each in found.undetermined["width"]] == [
        ("n", name)
    ]


def test_a_grid_is_as_large_as_its_cells_together() -> None:
    found = facts(
        s=IMAGE,
        more=("RepeatImageBatch", {"image": ["s", 0], "amount": 5}),
        each=("RebatchImages", {"images": ["more", 0], "batch_size": 1}),
        grid=(
            "ImageGrid",
            {
                "images": ["each", 0],
                "columns": 4,
                "padding": 4,
                "cell_width": 256,
                "cell_height": 512,
            },
        ),
    )

    assert (found.width, found.height) == (4 * 256 + 3 * 4, 3 * 512 + 2 * 4)


CLIP: Spec = ("EmptyHunyuanLatentVideo", {"width": 64, "height": 64, "length": 81})
CLIPS: list[tuple[Spec, tuple[int, int]]] = [
    (("LTXVAddGuide", {"latent": ["s", 0], "image": ["i", 0]}), (2, 83)),
    (("WanSoundImageToVideoExtend", {"video_latent": ["s", 0], "length": 97}), (2, 97)),
    (("WanDancerPadKeyframes", {"images": ["i", 0], "segment_length": 149}), (2, 149)),
    (("LatentConcat", {"samples1": ["s", 0], "samples2": ["s", 0], "dim": "t"}), (2, 162)),
    (("LatentBatch", {"samples1": ["s", 0], "samples2": ["s", 0]}), (2, 162)),
    (("LatentCutToBatch", {"samples": ["s", 0], "dim": "t", "slice_size": 1}), (81, 81)),
    (("CreateVideo", {"images": ["i", 0]}), (2, 81)),
    (("SaveAnimatedWEBP", {"images": ["s", 0]}), (2, 81)),
    (("VideoTemporalCrop", {"video": ["s", 0], "length": 16}), (2, 81)),
    (("EmptyQwenImageLayeredLatentImage", {"width": 64, "height": 64, "layers": 3}), (4, 81)),
    (("TextEncodeMageFlowEdit", {"images.i": ["i", 0], "width": 0, "height": 0}), (2, 81)),
    (("Painter", {"width": 64, "height": 64}), (2, 81)),
    (("Somebodys", {"latent": ["s", 0], "frames": 200}), (2, 200)),
]


@pytest.mark.parametrize(("node", "expected"), CLIPS, ids=[spec[0] for spec, _ in CLIPS])
def test_clips_are_told_from_batches(node: Spec, expected: tuple[int, int]) -> None:
    pictures: Spec = ("EmptyImage", {"width": 64, "height": 64, "batch_size": 2})
    found = facts(s=CLIP, i=pictures, n=node)

    assert (found.batch, found.frames) == expected
    assert not {"batch", "frames", "width"} & found.undetermined.keys()


@pytest.mark.parametrize(
    ("node", "total"),
    [
        (("SeedVR2TemporalChunk", {"latent": ["s", 0], "chunking_mode": "manual"}), 21),
        (("WanDancerPadKeyframesList", {"images": ["s", 0], "num_segments": 7}), 7),
        (("LatentFromBatch", {"samples": ["s", 0], "length": 3}), 1),
    ],
)
def test_what_comes_in_pieces_is_sampled_piece_by_piece(node: Spec, total: int) -> None:
    kind, inputs = node
    sampler: Spec = ("KSampler", {"steps": 1, "latent_image": ["n", 0]})
    inputs = {**inputs, "chunking_mode.frames_per_chunk": 1}

    assert facts(s=CLIP, n=(kind, inputs), k=sampler).total_steps == total


def test_chunks_that_fit_into_memory_are_not_counted_beforehand() -> None:
    chunks: Spec = ("SeedVR2TemporalChunk", {"latent": ["s", 0], "chunking_mode": "auto"})
    sampler: Spec = ("KSampler", {"steps": 1, "latent_image": ["n", 0]})

    assert "total_steps" in facts(s=CLIP, n=chunks, k=sampler).undetermined


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("ltx-spatial-x2.safetensors", (128, 128, 81)),
        ("ltx-temporal-x2.safetensors", (64, 64, 162)),
    ],
)
def test_a_latent_upsampler_enlarges_frames_or_makes_more(
    model: str, expected: tuple[int, int, int]
) -> None:
    found = facts(
        s=CLIP,
        m=("LatentUpscaleModelLoader", {"model_name": model}),
        n=("LTXVLatentUpsampler", {"samples": ["s", 0], "upscale_model": ["m", 0]}),
    )

    assert (found.width, found.height, found.frames) == expected


@pytest.mark.parametrize(
    ("kind", "inputs", "name"),
    [
        ("LatentUpscale", {"samples": ["s", 0], "width": ["v", 0], "height": 64}, "width"),
        ("LatentCrop", {"samples": ["s", 0], "width": 64, "height": ["v", 0]}, "height"),
        ("RepeatLatentBatch", {"samples": ["s", 0], "amount": ["v", 0]}, "batch"),
        ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": ["v", 0]}, "batch"),
        ("LatentUpscaleBy", {"samples": ["s", 0], "scale_by": ["v", 0]}, "width"),
    ],
)
def test_a_number_below_zero_behind_a_link_escapes_comfyuis_limits_and_is_not_guessed(
    kind: str, inputs: dict[str, Any], name: str
) -> None:
    found = facts(s=LATENT, v=("PrimitiveInt", {"value": -64}), n=(kind, inputs))

    assert "n" in [each.node_id for each in found.undetermined.get(name, ())]


def test_a_literal_below_zero_is_known_because_comfyui_refuses_it() -> None:
    upscale: Spec = ("LatentUpscale", {"samples": ["s", 0], "width": -64, "height": 64})

    assert "width" not in facts(s=LATENT, n=upscale).undetermined
