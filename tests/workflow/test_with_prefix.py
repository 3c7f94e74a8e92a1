"""Promise: what can be made to save under a prefix does, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.workflow import Graph, Known, parse_graph
from comfy_mcp.workflow.measure import measure
from comfy_mcp.workflow.saves import with_prefix

Spec = tuple[str, dict[str, Any]]


def graph(**nodes: Spec) -> Graph:
    return parse_graph(
        {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}
    )


def saved(node: Spec, **others: Spec) -> dict[str, object]:
    return dict(with_prefix(graph(n=node, **others), "agents/ada/").nodes["n"].inputs)


TEXT: Spec = ("PrimitiveString", {"value": "x"})


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (("SaveImage", {"filename_prefix": "cat"}), {"filename_prefix": "agents/ada/cat"}),
        (("SaveImage", {"filename_prefix": "agents/ada/c"}), {"filename_prefix": "agents/ada/c"}),
        (("SaveImage", {}), {"filename_prefix": "agents/ada/ComfyUI"}),
        (("SaveImage", {"filename_prefix": 7}), {"filename_prefix": "agents/ada/7"}),
        (("SaveImage", {"filename_prefix": ["other", 0]}), {"filename_prefix": "agents/ada/x"}),
        (("SaveImage", {"filename_prefix": "../x"}), {"filename_prefix": "agents/ada/../x"}),
        (("SaveLoRA", {"prefix": "l"}), {"prefix": "agents/ada/l"}),
        (("Custom", {"output_path": "out"}), {"output_path": "agents/ada/out"}),
        (("Custom", {"path": "in", "text": "t"}), {"path": "in", "text": "t"}),
        (("PreviewImage", {}), {}),
    ],
)
def test_a_place_to_save_begins_with_the_prefix(node: Spec, expected: dict[str, object]) -> None:
    assert saved(node, other=TEXT) == expected


def test_a_place_that_cannot_be_foreseen_is_left_alone() -> None:
    node: Spec = ("SaveImage", {"filename_prefix": ["oracle", 0]})

    assert saved(node, oracle=("Oracle", {})) == {"filename_prefix": ("oracle", 0)}


def test_nothing_else_is_touched() -> None:
    before = graph(a=TEXT, n=("SaveImage", {"images": ["a", 0], "filename_prefix": "x"}))
    after = with_prefix(before, "p/")

    assert after.nodes["a"] is before.nodes["a"]
    assert list(after.nodes["n"].inputs) == ["images", "filename_prefix"]
    assert with_prefix(before, "") is before
    assert before.nodes["n"].inputs["filename_prefix"] == "x"


def test_what_is_measured_afterwards_begins_with_the_prefix() -> None:
    before = graph(
        other=TEXT,
        a=("SaveVideo", {"filename_prefix": ["other", 0]}),
        b=("SaveImage", {}),
        c=("SaveTrainingDataset", {"folder_name": "d"}),
    )
    found = measure(with_prefix(before, "p/"), Known()).output_prefixes

    assert [each.value for each in found] == ["p/x", "p/ComfyUI", "p/d"]
