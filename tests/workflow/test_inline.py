"""Parameters of a graph that came without a manifest."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import Graph, parse_graph
from comfy_mcp.workflow.inline import Inline, fill_inline
from comfy_mcp.workflow.manifest import parse_manifest


def sampler(**changes: Any) -> Graph:
    """A graph with what most of them have."""
    inputs = {
        "model": ["1", 0],
        "positive": ["2", 0],
        "negative": ["2", 0],
        "latent_image": ["4", 0],
        "seed": 3,
        "steps": 20,
        "cfg": 7.5,
        "denoise": 1,
        "sampler_name": "euler",
    }
    return parse_graph(
        {
            "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "m.safetensors"}},
            "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["1", 1]}},
            "4": {
                "class_type": "EmptyLatentImage",
                "inputs": {"width": 64, "height": 64, "batch_size": 1},
            },
            "5": {"class_type": "KSampler", "inputs": {**inputs, **changes}},
            "6.1": {
                "class_type": "PreviewAny",
                "inputs": {"source": ["5", 0], "list": {"__value__": [1, 2]}},
            },
        }
    )


def filled(graph: Graph, params: dict[str, Any], **options: Any) -> Inline:
    """*params* in place; a drawn seed is 99."""
    options = {"draw_seed": lambda: 99, "files": {}, **options}
    return fill_inline(graph, params, **options)


def inputs(made: Inline, node: str = "5") -> dict[str, Any]:
    """What stands in a node."""
    return dict(made.filled.graph.nodes[node].inputs)


def test_without_parameters_the_graph_is_sent_as_it_is() -> None:
    graph = sampler()

    made = filled(graph, {})

    assert made.filled.graph == graph
    assert made.filled.told == {}
    assert made.manifest is None


def test_what_is_named_changes_and_nothing_else() -> None:
    made = filled(sampler(), {"steps": 5, "5.cfg": 2, "prompt": "a dog"})

    assert inputs(made) == {**sampler().nodes["5"].inputs, "steps": 5, "cfg": 2.0}
    assert inputs(made, "2")["text"] == "a dog"
    assert made.filled.told == {"steps": 5, "prompt": "a dog", "5.cfg": 2.0}
    assert made.filled.drawn == ()


def test_a_whole_number_in_the_graph_may_have_stood_for_any_number() -> None:
    assert inputs(filled(sampler(), {"5.denoise": 0.4}))["denoise"] == 0.4


@pytest.mark.parametrize("name", ["seed", "5.seed"])
def test_a_seed_is_drawn_where_chance_is_asked_for(name: str) -> None:
    made = filled(sampler(), {name: "random"})

    assert inputs(made)["seed"] == 99
    assert made.filled.drawn == (name,)
    assert made.filled.told == {name: 99}


def test_placeholders_are_the_parameters_of_a_graph_that_has_some() -> None:
    graph = sampler(steps="PARAM_INT_STEPS", seed="PARAM_SEED")

    made = filled(graph, {"steps": 4, "5.cfg": 1})

    assert (inputs(made)["steps"], inputs(made)["seed"], inputs(made)["cfg"]) == (4, 99, 1.0)
    with pytest.raises(WorkflowError, match="steps is missing"):
        filled(graph, {})


def test_a_reference_is_a_file_where_it_is_given() -> None:
    graph = parse_graph(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
            "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
        }
    )
    files = {"comfy://jobs/x/outputs/0": "sub/x.png [output]"}

    for name in ("image", "1.image"):
        made = filled(graph, {name: "comfy://jobs/x/outputs/0"}, files=files)
        assert inputs(made, "1")["image"] == "sub/x.png [output]"
        assert made.filled.told == {name: "comfy://jobs/x/outputs/0"}
        assert made.filled.files == files
        with pytest.raises(WorkflowError):
            filled(graph, {"image": "x.png [output]"}, files=files)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"stepz": 5}, 'Did you mean "steps"'),
        ({"5.stepz": 5}, 'Did you mean "5.steps"'),
        ({"7.steps": 5}, "NODE_ID.input"),
        ({"5.steps": "5"}, "without quotes"),
        ({"5.steps": True}, "5.steps must be an integer"),
        ({"5.model": "x"}, "linked to another node"),
        ({"6.1.list": "x"}, "list or an object"),
        ({"5.sampler_name": 3}, "must be a string"),
        ({"5.cfg": float("nan")}, "finite"),
        ({"5.steps": 10**30}, "must be"),
        ({"steps": 3, "5.steps": 4}, "give only that one"),
        ({"5.sampler_name": "random", "5.steps": "random"}, "5.steps must be an integer"),
        ({"seed": -1}, 'or give "random"'),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(params: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        filled(sampler(), params)

    assert words in str(caught.value)


def test_a_name_with_dots_that_means_two_inputs_is_refused() -> None:
    graph = parse_graph(
        {
            "1": {"class_type": "PreviewAny", "inputs": {"a.b": 1}},
            "1.a": {"class_type": "PreviewAny", "inputs": {"b": 2}},
        }
    )

    with pytest.raises(WorkflowError, match="several nodes"):
        filled(graph, {"1.a.b": 5})


def test_without_nodes_there_is_no_way_past_the_names() -> None:
    with pytest.raises(WorkflowError, match="no parameter"):
        filled(sampler(), {"5.cfg": 2}, nodes=False)


def test_what_is_known_comes_before_what_is_inferred() -> None:
    fills = [{"node": "5", "input": "steps"}]
    pace = {"name": "pace", "type": "integer", "description": "S.", "fills": fills, "max": 30}
    known = parse_manifest({"title": "T", "parameters": [pace]})

    made = filled(sampler(), {"pace": 6, "seed": 4}, known=known)

    assert (inputs(made)["steps"], inputs(made)["seed"]) == (6, 4)
    with pytest.raises(WorkflowError, match="at most 30"):
        filled(sampler(), {"pace": 31}, known=known)
    with pytest.raises(WorkflowError, match='no parameter "steps"'):
        filled(sampler(), {"steps": 6}, known=known)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ckpt", 'Did you mean "1.ckpt_name"?'),
        ("9.ckpt", 'Did you mean "1.ckpt_name"?'),
        ("hieght", 'Did you mean "height"?'),
    ],
)
def test_a_name_that_is_none_is_told_with_inputs_like_it(name: str, meant: str) -> None:
    with pytest.raises(WorkflowError) as found:
        filled(sampler(), {name: "x"})

    assert meant in str(found.value)
