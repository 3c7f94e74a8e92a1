"""Promise: each flaw of a node is told with its place and its fix, before it can hurt ComfyUI."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.checks import MAX_CLASS, MAX_ID, Budget, kind_of, node_flaws
from comfy_mcp.workflow.flaws import Flaw

IDS = ("1", "2", "3")


def flaws(raw: object, node_id: object = "3") -> list[Flaw]:
    return list(node_flaws(node_id, raw, IDS, Budget(10_000, "too big")))


def flaw_of_input(value: object) -> Flaw:
    found = flaws({"class_type": "KSampler", "inputs": {"model": value}})
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 5, 1.5, "text", ""),
        *(["1", 0], ["2", 7], {}, {"on": True, "lora": "x", "list": [1, 2]}),
        *({"__value__": []}, {"__value__": [1, 2]}, {"__value__": ["a", "b"]}),
        *({"__value__": ["a", 1, 2]}, {"__value__": [["1", 0]]}),
        *({"__type__": "CURVE", "__value__": {"points": [[0, 0]]}},),
    ],
)
def test_links_and_literals_pass(value: object) -> None:
    assert flaws({"class_type": "KSampler", "inputs": {"model": value}}) == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, ("null", "class_type")),
        ([], ("a list",)),
        ({"inputs": {}}, ('no "class_type"', "KSampler")),
        ({"class_type": 5, "inputs": {}}, ('no "class_type"',)),
        ({"class_type": "", "inputs": {}}, ('no "class_type"',)),
        ({"class_type": "a" * (MAX_CLASS + 1), "inputs": {}}, ("at most 256",)),
        ({"class_type": "a\nb", "inputs": {}}, ("control", "Node 3 (a\\nb)")),
        ({"class_type": "a\ud800", "inputs": {}}, ("surrogate",)),
        ({"class_type": "A"}, ('no "inputs"', "worker", '"inputs": {}')),
        ({"class_type": "A", "inputs": None}, ("null", '"inputs": {}')),
        ({"class_type": "A", "inputs": []}, ("a list",)),
        ({"class_type": "A", "inputs": {}, "_meta": None}, ('"_meta" is null', "Leave it out")),
        ({"class_type": "A", "inputs": {}, "_meta": {"title": float("nan")}}, ("_meta", "NaN")),
    ],
)
def test_a_node_that_would_hurt_comfyui_is_told_with_the_fix(
    raw: object, words: tuple[str, ...]
) -> None:
    found = flaws(raw)

    assert len(found) == 1
    assert found[0].node_id == "3"
    assert found[0].text.startswith("Node 3")
    assert all(word in found[0].text for word in words), found[0].text


@pytest.mark.parametrize("node_id", ["", "a" * (MAX_ID + 1), "a\n", "\x00", "\ud800", 5, None])
def test_an_id_that_is_no_short_text_is_refused(node_id: object) -> None:
    found = flaws({"class_type": "A", "inputs": {}}, node_id)

    assert len(found) == 1
    assert "1 to 64 characters" in found[0].text
    assert found[0].text.isprintable()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["99", 0], ("node 99", "does not exist", "1, 2, 3")),
        (["1", -1], ("slot -1", "counted from 0")),
        (["1", 0.0], ("whole slot",)),
        (["1", True], ("whole slot",)),
        ([1, 0], ('["<node id>", <slot>]',)),
        ([], ('{"__value__": [...]}',)),
        ([512, 512, 3], ('{"__value__": [...]}',)),
        ({"__value__": 100}, ("Write the value itself", "an integer")),
        ({"__value__": None}, ("Write the value itself", "null")),
        ({"__value__": ["1", 0]}, ("holds a link",)),
        ({"__value__": ["1", 0.5]}, ("holds a link",)),
        ({"__value__": ["1", False]}, ("holds a link",)),
        ({"__value__": {"__value__": 5}}, ("another wrapper",)),
        (float("inf"), ("Infinity", "finite")),
        ({"a": [float("nan")]}, ("NaN",)),
        (2**70, ("2**64",)),
    ],
)
def test_a_value_comfyui_would_misread_is_told_with_the_fix(
    value: object, words: tuple[str, ...]
) -> None:
    flaw = flaw_of_input(value)

    assert flaw.text.startswith("Node 3 (KSampler), input model: ")
    assert (flaw.node_id, flaw.input_name) == ("3", "model")
    assert all(word in flaw.text for word in words), flaw.text


def test_deep_nesting_is_told_and_not_a_crash() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"a": deep}

    assert "nested more than 32" in flaw_of_input(deep).text


def test_every_flaw_of_a_node_is_told() -> None:
    found = flaws({"inputs": {"a": ["9", 0], "b": [], 5: 1}, "_meta": 5})

    assert [flaw.input_name for flaw in found] == [None, None, "a", "b", "5"]


def test_a_budget_is_for_all_values_together() -> None:
    budget = Budget(100, "That is too big.")

    assert budget.fault("x" * 60) is None
    with pytest.raises(WorkflowError, match="too big"):
        budget.fault("x" * 60)


def test_kinds_have_the_words_of_json() -> None:
    values: list[object] = [None, True, 1, 1.0, "", [], {}, ()]

    assert [kind_of(value) for value in values] == [
        *("null", "a boolean", "an integer", "a number", "a string", "a list", "an object"),
        "a tuple",
    ]
