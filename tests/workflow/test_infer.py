"""Promise: what a graph takes is found in it, always under the same names."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.workflow.fill import fill
from comfy_mcp.workflow.graph import Graph
from comfy_mcp.workflow.infer import MOST, inferred
from comfy_mcp.workflow.manifest import Manifest, check_targets
from comfy_mcp.workflow.parse import parse_graph
from comfy_mcp.workflow.schema import read_schemas


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A node."""
    return {"class_type": class_type, "inputs": inputs}


TEXT_TO_IMAGE: dict[str, Any] = {
    "4": node("CheckpointLoaderSimple", ckpt_name="sd.safetensors"),
    "10": node("CLIPTextEncode", clip=["4", 1], text="a cat"),
    "9": node("CLIPTextEncode", clip=["4", 1], text="ugly"),
    "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
    "3": node(
        "KSampler",
        model=["4", 0],
        positive=["10", 0],
        negative=["9", 0],
        latent_image=["5", 0],
        seed=42,
        steps=20,
        cfg=7.5,
        sampler_name="euler",
        scheduler="normal",
        denoise=1.0,
    ),
    "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
    "11": node("SaveImage", images=["8", 0], filename_prefix="x"),
}
SCHEMAS = read_schemas(
    {
        "KSampler": {
            "input": {
                "required": {
                    "seed": ["INT", {"min": 0, "max": 2**64 - 1}],
                    "steps": ["INT", {"min": 1, "max": 10000}],
                    "cfg": ["FLOAT", {"min": 0.0, "max": 100.0}],
                    "sampler_name": [["euler", "ddim"]],
                    "scheduler": ["COMBO", {"options": ["simple"]}],
                    "denoise": ["FLOAT", {"min": 0.0, "max": 1.0}],
                }
            }
        },
        "Partner": {
            "input": {
                "required": {
                    "prompt": ["STRING", {}],
                    "seed": ["INT", {"min": 0, "max": 2147483647}],
                    "seconds": ["COMBO", {"options": [5, 10]}],
                }
            }
        },
    }
)


def names(**graph: Any) -> list[str]:
    """The names of what a graph takes; its ids follow a letter."""
    return list(inferred(made({key.lstrip("n"): one for key, one in graph.items()})).names)


def made(graph: dict[str, Any]) -> Graph:
    return parse_graph(graph)


def values(manifest: Manifest) -> dict[str, object]:
    """Default by name."""
    return {one.name: one.default for one in manifest.parameters}


def test_text_to_image_takes_what_everybody_would_look_for() -> None:
    assert values(inferred(made(TEXT_TO_IMAGE))) == {
        "prompt": "a cat",
        "negative_prompt": "ugly",
        "seed": None,
        "steps": 20,
        "cfg": 7.5,
        "checkpoint": "sd.safetensors",
        "denoise": 1.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "batch_size": 1,
        "height": 768,
        "width": 512,
    }


def test_types_ranges_and_choices_are_the_hosts() -> None:
    found = {one.name: one for one in inferred(made(TEXT_TO_IMAGE), SCHEMAS).parameters}

    assert (found["steps"].type, found["steps"].min, found["steps"].max) == ("integer", 1, 10000)
    assert (found["denoise"].type, found["denoise"].max) == ("number", 1.0)
    assert (found["sampler_name"].type, found["sampler_name"].choices) == (
        "choice",
        ("euler", "ddim"),
    )
    assert found["seed"].type == "seed"
    assert found["prompt"].type == "string"


def test_what_the_host_does_not_have_has_to_be_chosen_anew() -> None:
    found = {one.name: one for one in inferred(made(TEXT_TO_IMAGE), SCHEMAS).parameters}

    assert found["scheduler"].required
    assert not found["sampler_name"].required


def test_a_seed_is_drawn_unless_the_host_takes_only_small_ones() -> None:
    graph = {"1": node("Partner", prompt="x", seed=7, seconds=5)}
    found = {one.name: one for one in inferred(made(graph), SCHEMAS).parameters}

    assert (found["seed"].type, found["seed"].max, found["seed"].default) == (
        "integer",
        2147483647,
        7,
    )
    assert (found["seconds"].type, found["seconds"].choices) == ("integer", ())


def test_words_are_traced_through_what_stands_between_them_and_the_sampler() -> None:
    graph = {
        "1": node("CLIPTextEncode", clip=["9", 1], text=["7", 0]),
        "2": node("CLIPTextEncode", clip=["9", 1], text="bad"),
        "3": node("ControlNetApplyAdvanced", positive=["1", 0], negative=["2", 0], image=["8", 0]),
        "4": node("ConditioningCombine", conditioning_1=["3", 0], conditioning_2=["5", 0]),
        "5": node("CLIPTextEncode", clip=["9", 1], text="more"),
        "6": node("KSampler", positive=["4", 0], negative=["3", 1]),
        "7": node("PrimitiveStringMultiline", value="good"),
        "8": node("LoadImage", image="pose.png"),
        "9": node("CheckpointLoaderSimple", ckpt_name="x"),
    }
    found = values(inferred(made(graph)))

    assert (found["prompt"], found["prompt_2"], found["negative_prompt"]) == ("more", "good", "bad")
    assert found["image"] == "pose.png"


def test_a_negative_that_is_the_prompt_made_nothing_is_no_negative() -> None:
    graph = {
        "1": node("CLIPTextEncode", clip=["9", 1], text="good"),
        "2": node("ConditioningZeroOut", conditioning=["1", 0]),
        "3": node("KSampler", positive=["1", 0], negative=["2", 0]),
        "9": node("CheckpointLoaderSimple", ckpt_name="x"),
    }

    assert "negative_prompt" not in values(inferred(made(graph)))


def test_a_guider_takes_the_prompt_too() -> None:
    graph = {
        "1": node("CLIPTextEncode", clip=["9", 0], text="good"),
        "2": node("FluxGuidance", conditioning=["1", 0], guidance=3.5),
        "3": node("BasicGuider", conditioning=["2", 0], model=["8", 0]),
        "8": node("UNETLoader", unet_name="flux", weight_dtype="default"),
        "9": node("DualCLIPLoader", clip_name1="l", clip_name2="t5", type="flux"),
    }

    assert values(inferred(made(graph))) == {
        "prompt": "good",
        "guidance": 3.5,
        "diffusion_model": "flux",
        "text_encoder": "l",
        "text_encoder_2": "t5",
    }


def test_one_text_in_several_places_is_one_parameter() -> None:
    graph = {
        "1": node("CLIPTextEncodeSDXL", clip=["9", 1], text_g="a cat", text_l="a cat"),
        "3": node("KSampler", positive=["1", 0]),
        "9": node("CheckpointLoaderSimple", ckpt_name="x"),
    }
    (prompt,) = (one for one in inferred(made(graph)).parameters if one.name.startswith("prompt"))

    assert [target.input for target in prompt.fills] == ["text_g", "text_l"]


def test_a_value_that_a_primitive_holds_is_filled_there() -> None:
    graph = {
        "1": node("PrimitiveInt", value=640),
        "2": node("EmptyLatentImage", width=["1", 0], height=["1", 0], batch_size=1),
    }
    found = inferred(made(graph))

    assert values(found) == {"batch_size": 1, "height": 640}
    assert found.parameters[1].fills[0].node == "1"


def test_media_are_files_and_a_second_of_a_kind_is_numbered_by_its_node() -> None:
    assert names(
        n10=node("LoadImage", image="b.png"),
        n2=node("LoadImage", image="a.png"),
        n3=node("LoadImageMask", image="m.png", channel="alpha"),
        n4=node("LoadAudio", audio="a.wav"),
        n5=node("LoadVideo", file="v.mp4"),
    ) == ["image", "image_2", "mask", "video", "audio"]
    found = inferred(
        made({"10": node("LoadImage", image="b.png"), "2": node("LoadImage", image="a.png")})
    )
    assert [(one.default, one.type) for one in found.parameters] == [
        ("a.png", "image"),
        ("b.png", "image"),
    ]


def test_a_file_of_a_former_job_is_no_default() -> None:
    (image,) = inferred(made({"1": node("LoadImage", image="x.png [output]")})).parameters

    assert image.required


def test_file_names_of_outputs_are_left_out() -> None:
    assert names(n1=node("SaveImage", images=["2", 0], filename_prefix="x"), n2=node("A")) == []


def test_a_number_with_a_point_is_a_whole_one_where_that_is_wanted() -> None:
    (steps,) = inferred(made({"1": node("KSampler", steps=20.0)}), SCHEMAS).parameters

    assert (steps.default, type(steps.default)) == (20, int)


def test_more_than_a_manifest_may_have_are_cut() -> None:
    graph = {str(n): node("LoadImage", image="x.png") for n in range(300)}

    assert len(inferred(made(graph)).parameters) == MOST


@given(st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_of_keys_or_on_what_is_known(random: Any) -> None:
    ids = list(TEXT_TO_IMAGE)
    random.shuffle(ids)
    graph: dict[str, Any] = {}
    for each in ids:
        keys = list(TEXT_TO_IMAGE[each]["inputs"])
        random.shuffle(keys)
        inputs = {key: TEXT_TO_IMAGE[each]["inputs"][key] for key in keys}
        graph[each] = {"class_type": TEXT_TO_IMAGE[each]["class_type"], "inputs": inputs}

    assert inferred(made(graph), SCHEMAS) == inferred(made(TEXT_TO_IMAGE), SCHEMAS)
    assert inferred(made(graph)).names == inferred(made(graph), SCHEMAS).names


LITERALS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3)
INPUTS = ["text", "seed", "steps", "width", "positive", "conditioning", "image", "length", "value"]


@given(
    st.dictionaries(
        st.sampled_from(["1", "2", "3:1", "a"]),
        st.tuples(
            st.sampled_from(["KSampler", "CLIPTextEncode", "PrimitiveInt", "LoadImage", "X"]),
            st.dictionaries(st.sampled_from(INPUTS), LITERALS),
        ),
        min_size=1,
    )
)
def test_whatever_is_found_can_be_filled(nodes: dict[str, tuple[str, dict[str, Any]]]) -> None:
    graph = made({key: node(kind, **inputs) for key, (kind, inputs) in nodes.items()})
    manifest = inferred(graph, SCHEMAS)

    check_targets(manifest, graph)
    if not any(one.required for one in manifest.parameters):
        filled = fill(graph, manifest, {}, draw_seed=lambda: 1)
        assert set(filled.values) == set(manifest.names)
