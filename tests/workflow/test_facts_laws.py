"""Promise: measuring never fails, more nodes never ask for less, and a prefix is put on once."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from comfy_mcp.workflow import FACTS, ClassInfo, Facts, Graph, Known, Node, parse_graph
from comfy_mcp.workflow.measure import asked, measure, shape
from comfy_mcp.workflow.nodes import OWN_RULES, POPULAR_RULES
from comfy_mcp.workflow.nodes.files import SAVERS
from comfy_mcp.workflow.nodes.models import MODELS, PROMPTS
from comfy_mcp.workflow.saves import with_prefix

CLASSES = sorted({*OWN_RULES, *POPULAR_RULES, *SAVERS, *MODELS, *PROMPTS, "Custom", "A Scheduler"})
INPUTS = (
    *("a", "amount", "audio", "b", "batch_size", "columns", "delimiter", "dim", "direction"),
    *("expression", "f_string", "file", "filename_prefix", "folder", "height", "image", "image1"),
    *("image2", "images", "input", "inputs.input0", "latent", "latent_image", "latents", "length"),
    *("mask", "megapixels", "model_name", "multiple", "operation", "path", "pixels", "resize_type"),
    *("resize_type.width", "resolution", "rotation", "sampler", "samples", "samples1", "samples2"),
    *("scale_by", "sigmas", "size", "slice_size", "source", "start_at_step", "steps", "string"),
    *("string_a", "switch", "text", "tile_width", "upscale_by", "upscale_model", "value", "video"),
    *("values.a", "width"),
)
LITERALS = (
    st.integers(-(2**63), 2**64 - 1)
    | st.integers(0, 64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.sampled_from(
        (
            *("10", "1e999", "nan", "-inf", "x", "t", "a.png", "b.png [output]", "90 degrees"),
            *("a ** b", "a / 0", "{a}", "embedding:x", "4x.pth", "left", "scale width", "1, 0.5"),
            *("multiply", "dpm_adaptive", "999999x999999"),
        )
    )
    | st.text(max_size=8)
    | st.dictionaries(st.text("abc", max_size=3), st.text(max_size=9), max_size=2)
)
KNOWN = Known(
    classes={"Custom": ClassInfo(output_node=True, defaults={"steps": 3, "width": "w"})},
    pictures={"a.png": (300, 200), "x": None, "t": (10**9, 1, 10**9)},
)
NUMBERS = ("nodes", "steps", "total_steps", "width", "height", "megapixels", "batch", "frames")


@st.composite
def graphs(draw: st.DrawFn, most: int = 9) -> Graph:
    """Any workflow of known and unknown classes; links go to earlier nodes."""
    nodes: dict[str, Any] = {}
    for at in range(draw(st.integers(1, most))):
        inputs = draw(st.dictionaries(st.sampled_from(INPUTS), LITERALS, max_size=6))
        if at:
            for name in draw(st.lists(st.sampled_from(INPUTS), max_size=4)):
                inputs[name] = [str(draw(st.integers(0, at - 1))), draw(st.integers(0, 4))]
        nodes[str(at)] = {"class_type": draw(st.sampled_from(CLASSES)), "inputs": inputs}
    return parse_graph(nodes)


@given(graphs())
@settings(max_examples=300)
def test_every_workflow_can_be_measured(graph: Graph) -> None:
    facts = measure(graph, KNOWN)

    assert facts == measure(graph, KNOWN)
    assert facts.undetermined.keys() <= FACTS
    assert {each.name for each in fields(Facts)} - {"where", "undetermined"} == FACTS
    assert all(0 <= getattr(facts, name) <= 10**15 for name in NUMBERS)
    assert set(facts.where.values()) <= graph.nodes.keys()
    assert all(facts.undetermined.values())
    asked(graph, FACTS)


@given(graphs(), st.sampled_from(CLASSES), st.dictionaries(st.sampled_from(INPUTS), LITERALS))
def test_another_node_never_makes_it_less(
    graph: Graph, class_type: str, inputs: dict[str, object]
) -> None:
    links = {name: (str(at), 0) for at, name in enumerate(("samples", "images", "steps", "sigmas"))}
    links = {name: link for name, link in links.items() if link[0] in graph.nodes}
    more = Node("new", class_type, {**inputs, **links})
    before = measure(graph, KNOWN)
    after = measure(Graph(MappingProxyType({**graph.nodes, "new": more})), KNOWN)

    assert all(getattr(after, name) >= getattr(before, name) for name in NUMBERS)
    assert before.undetermined.keys() <= after.undetermined.keys()
    assert set(before.job_files) <= set(after.job_files)
    assert set(before.output_prefixes) <= set(after.output_prefixes)
    assert before.models.keys() <= after.models.keys()


@given(graphs(), st.text(min_size=1, max_size=4))
def test_a_prefix_is_put_on_once_and_everything_determined_has_it(
    graph: Graph, prefix: str
) -> None:
    once = with_prefix(graph, prefix)
    own = [each for each in measure(once, KNOWN).output_prefixes if each.class_type in SAVERS]

    assert with_prefix(once, prefix) == once
    assert with_prefix(graph, prefix) == once
    assert once.nodes.keys() == graph.nodes.keys()
    assert all(each.value.startswith(prefix) for each in own)


@given(graphs(), st.integers(0, 2**64 - 1))
def test_seeds_and_words_do_not_change_the_shape(graph: Graph, seed: int) -> None:
    def seeded(number: int, words: str) -> str:
        extra = Node("seed", "RandomNoise", {"noise_seed": number})
        prompt = Node("prompt", "CLIPTextEncode", {"text": words})
        whole = Graph(MappingProxyType({**graph.nodes, "seed": extra, "prompt": prompt}))
        return shape(whole, measure(whole, KNOWN))

    assert seeded(seed, "a cat") == seeded(0, "a dog")


def test_steps_sizes_models_and_samplers_change_the_shape() -> None:
    def of(**changes: object) -> str:
        given = {"steps": 20, "width": 64, "ckpt_name": "a", "sampler_name": "euler", **changes}
        graph = Graph(
            {
                "a": Node("a", "CheckpointLoaderSimple", {"ckpt_name": given["ckpt_name"]}),
                "b": Node("b", "EmptyLatentImage", {"width": given["width"], "height": 64}),
                "c": Node(
                    "c",
                    "KSampler",
                    {"steps": given["steps"], "sampler_name": given["sampler_name"]},
                ),
            }
        )
        return shape(graph, measure(graph, Known()))

    shapes = [of(), of(steps=21), of(width=65), of(ckpt_name="b"), of(sampler_name="heun")]
    assert len(set(shapes)) == len(shapes)
    assert of().startswith("sha256:")


@example(1)
@example(3)
@given(st.integers(1, 40))
def test_a_circle_is_unknown_and_does_not_hang(length: int) -> None:
    """`parse_graph` lets none through; measuring does not rely on it."""
    ring = {
        str(at): Node(str(at), "PrimitiveInt", {"value": (str((at + 1) % length), 0)})
        for at in range(length)
    }
    ring["k"] = Node("k", "KSampler", {"steps": ("0", 0), "latent_image": ("k", 0)})
    facts = measure(Graph(ring), Known())

    assert {"steps", "total_steps"} <= facts.undetermined.keys()
