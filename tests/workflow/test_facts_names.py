"""Promise: models, classes and places to save are found, however they are written."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.workflow import FACTS, Asked, ClassInfo, Facts, Graph, Known, parse_graph
from comfy_mcp.workflow.measure import asked, measure

Spec = tuple[str, dict[str, Any]]


def graph(**nodes: Spec) -> Graph:
    return parse_graph(
        {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    )


def facts(known: Known | None = None, **nodes: Spec) -> Facts:
    return measure(graph(**nodes), known or Known())


def loaded(found: Facts) -> dict[str, list[str]]:
    return {folder: [one.name for one in used] for folder, used in found.models.items()}


def knowing(**classes: ClassInfo | None) -> Known:
    return Known(classes=classes)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (("CheckpointLoaderSimple", {"ckpt_name": "a.ckpt"}), {"checkpoints": ["a.ckpt"]}),
        (("LoraLoader", {"lora_name": "sub/b.safetensors"}), {"loras": ["sub/b.safetensors"]}),
        (
            ("DualCLIPLoader", {"clip_name1": "c", "clip_name2": "d"}),
            {"text_encoders": ["c", "d"]},
        ),
        (("UNETLoader", {"unet_name": "e.gguf"}), {"diffusion_models": ["e.gguf"]}),
        (("ModelPatchLoader", {"name": "f.safetensors"}), {"model_patches": ["f.safetensors"]}),
        (("TrainLoraNode", {"existing_lora": "[None]"}), {}),
        (("CheckpointLoaderSimple", {"ckpt_name": ["other", 0]}), {"checkpoints": ["a.ckpt"]}),
    ],
)
def test_comfyuis_own_loaders_are_known(node: Spec, expected: dict[str, list[str]]) -> None:
    found = facts(n=node, other=("PrimitiveString", {"value": "a.ckpt"}))

    assert loaded(found) == expected
    assert "models" not in found.undetermined


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"ckpt_name": "a"}, {"checkpoints": ["a"]}),
        ({"lora_name_3": "b"}, {"loras": ["b"]}),
        ({"control_net_name": "c"}, {"controlnet": ["c"]}),
        ({"weird": "d.safetensors"}, {"?": ["d.safetensors"]}),
        ({"lora_1": {"on": True, "lora": "e.safetensors"}}, {"loras": ["e.safetensors"]}),
        ({"text": "a cat <lora:fluffy:0.8>"}, {"loras": ["fluffy"]}),
        ({"ckpt_name": "None"}, {}),
        ({"weird": ["other", 0]}, {"?": ["a.ckpt"]}),
        ({"told": "without a suffix"}, {"ultralytics": ["without a suffix"]}),
    ],
)
def test_models_of_custom_classes_are_told_by_the_host_or_by_names(
    inputs: dict[str, object], expected: dict[str, list[str]]
) -> None:
    found = facts(
        knowing(Custom=ClassInfo(folders={"told": "ultralytics"})),
        n=("Custom", inputs),
        other=("PrimitiveString", {"value": "a.ckpt"}),
    )

    assert loaded(found) == expected
    assert "models" not in found.undetermined


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a cat, embedding:EasyNegative", ["EasyNegative"]),
        ("(embedding:sub/a.pt:1.2), embedding:b, dog", ["sub/a.pt", "b"]),
        ("embedding:a\\(b\\) [embedding:c]", ["a(b)", "c]"]),
        ("no embeddings: none", []),
    ],
)
def test_an_embedding_in_a_prompt_is_a_model(text: str, names: list[str]) -> None:
    found = facts(n=("CLIPTextEncode", {"text": text}))

    assert loaded(found).get("embeddings", []) == names


def test_an_embedding_that_is_pieced_together_is_found() -> None:
    found = facts(
        pieces=("StringConcatenate", {"string_a": "embed", "string_b": "ding:x", "delimiter": ""}),
        n=("CLIPTextEncode", {"text": ["pieces", 0]}),
    )

    assert loaded(found) == {"embeddings": ["x"]}


@pytest.mark.parametrize(
    "node",
    [
        ("CheckpointLoaderSimple", {"ckpt_name": ["oracle", 0]}),
        ("CLIPTextEncode", {"text": ["oracle", 0]}),
    ],
)
def test_a_model_that_cannot_be_foreseen_is_undetermined(node: Spec) -> None:
    (unknown,) = facts(knowing(Oracle=ClassInfo()), n=node, oracle=("Oracle", {})).undetermined[
        "models"
    ]

    assert (unknown.node_id, unknown.class_type) == ("n", node[0])
    assert "node oracle (Oracle)" in unknown.why


def test_classes_are_told_apart() -> None:
    known = knowing(Kling=ClassInfo(api_node=True), Custom=ClassInfo(), Missing=None)
    found = facts(
        known,
        a=("SaveImage", {}),
        b=("Kling", {}),
        c=("Custom", {}),
        d=("Missing", {}),
        e=("Custom", {}),
    )

    assert found.node_classes == {"SaveImage": "a", "Kling": "b", "Custom": "c", "Missing": "d"}
    assert found.unknown_classes == {"Kling": "b", "Custom": "c", "Missing": "d"}
    assert found.api_nodes == {"Kling": "b"}
    assert not found.undetermined.keys() & {"api_nodes", "models"}


def test_a_class_of_which_the_host_says_nothing_may_be_anything() -> None:
    found = facts(n=("Custom", {"text": "hello"}))

    assert {"api_nodes", "models", "output_prefixes"} <= found.undetermined.keys()


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (("SaveImage", {"filename_prefix": "a/b"}), ["a/b"]),
        (("SaveImage", {}), ["ComfyUI"]),
        (("SaveVideo", {}), ["video/ComfyUI"]),
        (("SaveImage", {"filename_prefix": 7}), ["7"]),
        (("SaveImage", {"filename_prefix": "../../evil"}), ["../../evil"]),
        (("SaveImage", {"filename_prefix": ["other", 0]}), ["/srv/x"]),
        (("SaveLoRA", {"prefix": "c"}), ["c"]),
        (("SaveImageDataSetToFolder", {"folder_name": "d", "filename_prefix": "e"}), ["d"]),
        (("PreviewImage", {}), []),
        (("Preview3D", {"model_file": "a.glb"}), []),
        (("Preview3D", {"model_file": ["other", 0]}), ["preview3d_"]),
        (("Custom", {"output_path": "../x", "path": "y", "folder": ""}), ["../x", "y"]),
        (("Reader", {"path": "y", "filename_prefix": "z"}), ["z"]),
        (("Custom", {}), ["default"]),
    ],
)
def test_where_something_is_saved_is_told(node: Spec, expected: list[str]) -> None:
    defaults = {"filename_prefix": "default"} if node == ("Custom", {}) else {}
    known = knowing(
        Custom=ClassInfo(output_node=True, defaults=defaults), Reader=ClassInfo(output_node=False)
    )
    found = facts(known, n=node, other=("PrimitiveString", {"value": "/srv/x"}))

    assert [each.value for each in found.output_prefixes] == expected
    assert "output_prefixes" not in found.undetermined


def test_a_place_that_cannot_be_foreseen_is_undetermined() -> None:
    found = facts(
        n=("SaveImage", {"filename_prefix": ["regex", 0]}),
        regex=("RegexReplace", {"string": "a", "regex_pattern": "a", "replace": "../b"}),
    )

    assert [each.node_id for each in found.undetermined["output_prefixes"]] == ["n"]


def test_an_ordinary_workflow_costs_no_request() -> None:
    ordinary = graph(
        model=("CheckpointLoaderSimple", {"ckpt_name": "a.ckpt"}),
        size=("EmptyLatentImage", {"width": 64, "height": 64}),
        n=("KSampler", {"steps": 20, "latent_image": ["size", 0]}),
        save=("SaveImage", {}),
    )

    assert asked(ordinary, FACTS) == Asked()


def test_only_what_is_wanted_and_not_known_is_asked() -> None:
    mixed = graph(
        a=("LoadImage", {"image": "a.png"}),
        b=("LoadImage", {"image": ["name", 0]}),
        c=("LoadImageOutput", {"image": "c.png"}),
        d=("Custom", {"image": "sub/d.png [output]"}),
        name=("PrimitiveString", {"value": "b.png"}),
    )

    either = ("c.png", "c.png [output]")
    pictures = frozenset(("a.png", "b.png", *either, "sub/d.png [output]"))
    assert asked(mixed, {"width"}) == Asked(frozenset({"Custom"}), pictures)
    assert asked(mixed, {"api_nodes"}) == Asked(frozenset({"Custom"}))
    assert asked(mixed, {"nodes", "job_files", "queue_depth"}) == Asked()


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (("StringTrim", {"string": " a ", "mode": "Both"}), "a"),
        (("CaseConverter", {"string": "a b", "mode": "Title Case"}), "A B"),
        (("StringReplace", {"string": "a.b", "find": ".", "replace": "/"}), "a/b"),
        (("StringSubstring", {"string": "abcdef", "start": 1, "end": "3"}), "bc"),
        (("StringFormat", {"f_string": "x{a}y", "values.a": ["other", 0]}), "xoy"),
        (("SaveText", {"text": "t", "filename_prefix": "t"}), "t"),
        (("PreviewAny", {"source": ["other", 0]}), "o"),
        (("CustomCombo", {"choice": "c"}), "c"),
        (
            ("ComfySwitchNode", {"switch": ["yes", 0], "on_true": "y", "on_false": "n"}),
            "y",
        ),
    ],
)
def test_a_text_that_is_worked_on_is_followed(node: Spec, text: str) -> None:
    found = facts(
        n=node,
        other=("PrimitiveString", {"value": "o"}),
        yes=(
            "StringCompare",
            {"string_a": "A", "string_b": "a", "mode": "Equal", "case_sensitive": False},
        ),
        save=("SaveImage", {"filename_prefix": ["n", 0]}),
    )

    assert found.output_prefixes[-1].value == text


@pytest.mark.parametrize(
    "node",
    [
        ("StringFormat", {"f_string": "{a:>999999999}", "values.a": "x"}),
        ("StringFormat", {"f_string": "{a.__class__}", "values.a": "x"}),
        ("StringFormat", {"f_string": "{a}" * 3000, "values.a": "x" * 9}),
        ("StringReplace", {"string": "x" * 9000, "find": "", "replace": "y" * 900}),
        ("StringConcatenate", {"string_a": "x" * 9000, "string_b": "x" * 9000}),
        ("StringSubstring", {"string": "x", "start": "one", "end": 2}),
        ("StringCompare", {"string_a": "a", "string_b": "a", "mode": "Perhaps"}),
        ("PreviewAny", {"source": {"deep": 1}}),
    ],
)
def test_a_text_that_may_run_away_is_not_followed(node: Spec) -> None:
    found = facts(n=node, save=("SaveImage", {"filename_prefix": ["n", 0]}))

    assert [each.node_id for each in found.undetermined["output_prefixes"]] == ["save"]
