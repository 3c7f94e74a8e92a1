"""Promise: a frozen run can be made again, with other values and with nothing else changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.workflow import Graph, digest, fill, parse_graph, parse_manifest
from comfy_mcp.workflow.described import described
from comfy_mcp.workflow.facts import Known
from comfy_mcp.workflow.frozen import MOST_CHANGES, changeable, frozen, remake
from comfy_mcp.workflow.graph import as_link
from comfy_mcp.workflow.input_files import input_files
from comfy_mcp.workflow.measure import measure
from comfy_mcp.workflow.saves import with_prefix
from tests.workflow.test_facts_laws import graphs

SHIPPED = Library((shipped_folder(),))
PREFIX = "agents/ada/"
LITERAL = (
    st.booleans()
    | st.integers(-9, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(("", "a.png", "b.png [output]", "agents/ada/x", "embedding:x", "t"))
    | st.text(max_size=9)
    | st.none()
)

Payload = Mapping[str, Any]


def library(name: str = "txt2img", prefix: str | None = None, **params: Any) -> dict[str, Any]:
    """A frozen run of a shipped workflow."""
    known = SHIPPED.load(name)
    needed = {"prompt": "a fox", "checkpoint": "a.safetensors", "image": "in.png"}
    given_ = {key: needed[key] for key in known.manifest.names if key in needed} | params
    filled = fill(known.graph, known.manifest, given_, draw_seed=lambda: 4711)
    return payload_of(filled, known.graph, known.manifest, prefix, name)


def inline(nodes: Mapping[str, Any] | Graph, prefix: str | None = None) -> dict[str, Any]:
    """A frozen run of a graph that the agent wrote itself."""
    graph = nodes if isinstance(nodes, Graph) else parse_graph(dict(nodes))
    filled = fill(graph, None, {}, draw_seed=lambda: 0)
    return payload_of(filled, graph, None, prefix, "inline")


def payload_of(filled: Any, base: Graph, manifest: Any, prefix: str | None, name: str) -> Any:
    """As it comes back from the state: JSON, read again."""
    made = filled if prefix is None else replace(filled, graph=with_prefix(filled.graph, prefix))
    found = frozen(made, workflow=name, base=base, manifest=manifest, prefix=prefix, front=False)
    return json.loads(json.dumps(found))


def literals(payload: Payload) -> dict[str, Any]:
    """Everything that stands in a node, by the name that a person changes it by."""
    return {
        f"{node_id}.{name}": value
        for node_id, node in payload["graph"].items()
        for name, value in node["inputs"].items()
        if as_link(value) is None
    }


def taken(payload: Payload, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of *changes* that are taken, one by one."""
    found: dict[str, Any] = {}
    for name, value in changes.items():
        try:
            remake(payload, {**found, name: value})
        except WorkflowError:
            continue
        found[name] = value
    return found


def skeleton(graph: Graph) -> Any:
    """What no change may touch: nodes, classes, names of inputs, links."""
    nodes = {node.id: (node.class_type, list(node.inputs)) for node in graph.nodes.values()}
    return nodes, sorted(map(str, graph.links()))


def files(graph: Graph) -> list[Any]:
    return list(input_files(graph))


PREFIXES = st.sampled_from((None, "", PREFIX, "p"))


@given(graphs(), PREFIXES)
@settings(max_examples=60)
def test_without_changes_a_run_stays_what_it_is(graph: Graph, prefix: str | None) -> None:
    payload = inline(graph, prefix)
    there = literals(payload)

    for changes in ({}, dict(list(there.items())[:MOST_CHANGES])):
        made = remake(payload, changes)
        assert made.payload == payload
        assert digest(made.payload) == digest(payload)
        assert made.graph.to_json() == payload["graph"]
        assert made.changes == {}


@given(graphs(), PREFIXES, st.data())
@settings(max_examples=150)
def test_no_change_touches_nodes_links_files_or_prefix_and_all_can_be_taken_back(
    graph: Graph, prefix: str | None, data: st.DataObject
) -> None:
    payload = inline(graph, prefix)
    there = literals(payload)
    names = st.sampled_from([*sorted(there), "no.such"])
    changes = taken(payload, data.draw(st.dictionaries(names, LITERAL, max_size=6)))
    before = parse_graph(payload["graph"])

    made = remake(payload, changes)

    assert skeleton(made.graph) == skeleton(before)
    assert files(made.graph) == files(before)
    assert with_prefix(made.graph, prefix or "") == made.graph
    assert parse_graph(json.loads(json.dumps(made.payload["graph"]))) == made.graph
    for name, (was, now) in made.changes.items():
        assert digest(was) == digest(there[name]) != digest(now)
        assert type(was) is type(now)
    assert literals(made.payload) == there | {name: now for name, (_, now) in made.changes.items()}
    back = remake(made.payload, {name: was for name, (was, _) in made.changes.items()})
    assert back.graph.to_json() == payload["graph"]
    assert {name: pair[::-1] for name, pair in back.changes.items()} == made.changes


@pytest.mark.parametrize("name", SHIPPED.names())
@pytest.mark.parametrize("prefix", [None, PREFIX])
def test_every_shipped_workflow_can_be_frozen_changed_and_changed_back(
    name: str, prefix: str | None
) -> None:
    payload = library(name, prefix)
    other = {"integer": 65, "number": 0.5, "string": "other words", "seed": 7, "boolean": True}
    changes = {}
    for one in SHIPPED.load(name).manifest.parameters:
        if one.type in other and one.problem(other[one.type]) is None:
            changes[one.name] = other[one.type]
    assert changes

    made = remake(payload, changes)
    back = remake(made.payload, {name: pair[0] for name, pair in made.changes.items()})

    assert made.payload["graph"] != payload["graph"]
    assert back.payload["graph"] == payload["graph"]
    assert back.payload["values"] == payload["values"]
    assert skeleton(made.graph) == skeleton(parse_graph(payload["graph"]))


def test_a_seed_that_was_drawn_stays_unless_it_is_changed() -> None:
    payload = library()
    assert payload["drawn"] == ["seed"]

    made = remake(payload, {"steps": 12})
    assert made.payload["values"]["seed"] == 4711
    assert made.payload["drawn"] == ["seed"]

    chosen = remake(made.payload, {"seed": 12})
    assert chosen.payload["values"]["seed"] == 12
    assert chosen.changes == {"seed": [4711, 12]}
    # It is no chance any more.
    assert chosen.payload["drawn"] == []
    assert chosen.payload["values"]["steps"] == 12


def test_a_prefix_stays_before_every_name_also_before_one_that_a_person_writes() -> None:
    payload = inline(CARD, PREFIX)
    saver = "3.filename_prefix"
    assert literals(payload)[saver] == f"{PREFIX}card"

    made = remake(payload, {saver: "elsewhere"})
    assert made.changes == {saver: [f"{PREFIX}card", f"{PREFIX}elsewhere"]}
    assert literals(made.payload)[saver] == f"{PREFIX}elsewhere"
    assert literals(remake(made.payload, {"1.width": 9}).payload)[saver] == f"{PREFIX}elsewhere"
    # The same name without the prefix is no other one.
    assert remake(payload, {saver: "card"}).changes == {}

    by_parameter = remake(library(prefix=PREFIX), {"filename_prefix": "elsewhere"})
    assert f"{PREFIX}elsewhere" in literals(by_parameter.payload).values()
    assert "elsewhere" not in literals(by_parameter.payload).values()


def test_changes_add_up_and_the_newest_counts() -> None:
    payload = library()
    first = remake(payload, {"steps": 30, "width": 512})
    second = remake(first.payload, {"steps": 40})

    assert second.changes == {"steps": [30, 40]}
    assert second.payload["values"]["width"] == 512
    assert remake(payload, {"steps": 40, "width": 512}).payload == second.payload


CARD = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 1},
        "_meta": {"title": "a card"},
    },
    "2": {"class_type": "ImageBlur", "inputs": {"image": ["1", 0], "sigma": 2.0, "on": True}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "card"}},
}


@pytest.mark.parametrize(
    ("name", "value", "now"),
    [
        ("1.width", 128, 128),
        ("2.sigma", 3.5, 3.5),
        ("2.sigma", 3, 3.0),
        ("2.on", False, False),
        ("3.filename_prefix", "other", "other"),
    ],
)
def test_a_value_in_a_node_is_changed_in_its_type(name: str, value: object, now: object) -> None:
    made = remake(inline(CARD), {name: value})

    node, key = name.split(".")
    assert digest(made.payload["graph"][node]["inputs"][key]) == digest(now)
    assert [digest(one) for one in made.changes[name]] == [
        digest(CARD[node]["inputs"][key]),
        digest(now),
    ]
    assert made.payload["graph"]["1"]["_meta"] == {"title": "a card"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"1.width": 64.0}, "1.width is 64: give a value of the same type"),
        ({"1.width": "128"}, "same type"),
        ({"1.width": True}, "same type"),
        ({"1.width": None}, "same type"),
        ({"1.width": [64]}, "same type"),
        ({"1.width": ["2", 0]}, "same type"),
        ({"1.width": {"__value__": [1]}}, "same type"),
        ({"1.width": 2**64}, "below 2"),
        ({"2.sigma": float("nan")}, "NaN"),
        ({"2.sigma": float("inf")}, "Infinity"),
        ({"2.sigma": 2**53 + 1}, "same type"),
        ({"2.on": 0}, "same type"),
        ({"3.filename_prefix": 3}, "same type"),
        ({"3.filename_prefix": "\ud800"}, "surrogate"),
        ({"2.image": "x"}, "linked to another node"),
        ({"2.image": ["3", 0]}, "linked to another node"),
        ({"2.new": 1}, "nothing called"),
        ({"9.width": 1}, "nothing called"),
        ({"1.class_type": "LoadImage"}, "nothing called"),
        ({"1": 1}, "nothing called"),
        ({"width": 1}, "nothing called"),
        ({"": 1}, "nothing called"),
        ({"1.inputs.width": 1}, "nothing called"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(WorkflowError, match=words):
        remake(inline(CARD), changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stpes": 9}, 'Did you mean "steps"'),
        ({"steps": 10_000}, "must be"),
        ({"steps": 9.0}, "write 9, not 9.0"),
        ({"steps": "9"}, "without quotes"),
        ({"steps": True}, "must be an integer"),
        ({"steps": None}, "must be an integer"),
        ({"prompt": 7}, "must be a string"),
        ({"seed": -1}, "must be"),
    ],
)
def test_parameters_keep_their_own_rules(changes: dict[str, object], words: str) -> None:
    with pytest.raises(WorkflowError, match=words):
        remake(library(), changes)


def test_an_input_that_a_parameter_fills_is_changed_by_the_parameter_only() -> None:
    payload = library()
    steps = next(p for p in SHIPPED.load("txt2img").manifest.parameters if p.name == "steps")
    place = f"{steps.fills[0].node}.{steps.fills[0].input}"

    with pytest.raises(WorkflowError, match=f"{place} is filled by the parameter steps"):
        remake(payload, {place: 99})


READS = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "b.png"}},
    "3": {"class_type": "PrimitiveString", "inputs": {"value": "c.png"}},
    "4": {"class_type": "LoadImage", "inputs": {"image": ["3", 0]}},
    "5": {"class_type": "SomebodysLoader", "inputs": {"where": "d.png", "words": "plain"}},
    "6": {"class_type": "SomebodysLoader", "inputs": {"image": ["3", 0]}},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"1.image": "other.png"},
        {"1.image": "a.png [output]"},
        {"1.image": "b.png"},
        {"1.image": "b.png", "2.image": "a.png"},
        {"3.value": "other.png"},
        {"5.where": "other.png"},
        {"5.where": "no file"},
        {"5.words": "a.png"},
    ],
)
def test_which_files_are_read_and_by_which_node_stays(changes: dict[str, str]) -> None:
    with pytest.raises(WorkflowError, match="Which files are read cannot be changed"):
        remake(inline(READS), changes)


def test_a_parameter_that_is_a_picture_stays_and_is_not_offered() -> None:
    payload = library("img2img")

    assert "image" not in changeable(payload)
    assert "prompt" in changeable(payload)
    with pytest.raises(WorkflowError, match="Which files are read"):
        remake(payload, {"image": "other.png"})
    assert changeable(inline(CARD)) == ()


def test_a_name_that_means_two_inputs_is_refused_and_one_with_dots_is_found() -> None:
    def node(**inputs: object) -> dict[str, Any]:
        return {"class_type": "SomebodysSampler", "inputs": inputs}

    both = inline({"a": node(**{"b.steps": 20}), "a.b": node(steps=20)})
    with pytest.raises(WorkflowError, match="several nodes"):
        remake(both, {"a.b.steps": 5})

    for lone, where in (
        ({"a.b": node(steps=20)}, ("a.b", "steps")),
        ({"a": node(**{"b.steps": 20})}, ("a", "b.steps")),
    ):
        made = remake(inline(lone), {"a.b.steps": 5})
        assert made.payload["graph"][where[0]]["inputs"][where[1]] == 5


def test_only_runs_can_be_changed_and_not_endlessly() -> None:
    for payload in ({"kind": "plain", "target": "x"}, {"kind": "question", "context": {}}, {}):
        with pytest.raises(WorkflowError, match="Only a run"):
            remake(payload, {"x": 1})
    with pytest.raises(WorkflowError, match="At most"):
        remake(inline(CARD), {f"{n}.x": 1 for n in range(MOST_CHANGES + 1)})


def test_a_manifest_survives_being_frozen() -> None:
    for name in SHIPPED.names():
        payload = library(name)
        assert parse_manifest(payload["manifest"]) == SHIPPED.load(name).manifest


def test_people_are_told_numbers_and_names_of_a_graph() -> None:
    graph = parse_graph(library(batch_size=2)["graph"])
    told = described(graph, measure(graph, Known()))

    assert told["nodes"] == len(graph.nodes) == sum(told["classes"].values())
    assert told["models"] == {"checkpoints": ["a.safetensors"]}
    assert (told["width"], told["batch"]) == (512, 2)
    assert told["undetermined"] == told["api_nodes"] == told["unknown_classes"] == []
    assert json.loads(json.dumps(told)) == told
    assert "fox" not in str(told)

    strange = parse_graph(
        {
            "1": {"class_type": "Odd", "inputs": {"steps": ["2", 0]}},
            "2": {"class_type": "Other", "inputs": {}},
        }
    )
    found = described(strange, measure(strange, Known()))
    assert found["unknown_classes"] == ["Odd", "Other"]
    assert "steps" in found["undetermined"]
