"""Files that no editor saved: words on what is wrong, and neither time nor memory lost."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import MAX_NODES
from comfy_mcp.workflow.ui import about, classes_of, converted
from tests.workflow.ui import cases
from tests.workflow.ui.became import became, inputs_of, refused
from tests.workflow.ui.nodes import SCHEMAS
from tests.workflow.ui.paper import PASSED, Paper

ALL = [getattr(cases, name)() for name in cases.__all__]
JUNK: list[Any] = [
    *(None, True, -1, 0, 4, 10**30, 1.5, float("nan"), "", "1", "-10", "\x00\x1b[31m", "\ud800"),
    *("x" * 5000, [], {}, [[]], [None], {"a": 1}, [1, 2, 3, 4, 5]),
    *("workflow>Twice", "Reroute", "PrimitiveNode", "GetNode", "SetNode", "KSampler"),
]


def spots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a file where something else may stand."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each))
        for key in keys:
            found.append((each, key))
            if isinstance(each[key], dict | list):
                waiting.append(each[key])
    return found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_stands_where_it_is_converted_or_refused_in_words(data: st.DataObject) -> None:
    file = copy.deepcopy(data.draw(st.sampled_from(ALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        holder, key = data.draw(st.sampled_from(spots(file)))
        holder[key] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    if not isinstance(file.get("nodes"), list):
        return

    said = told(file)

    assert all(line.isprintable() for text in said for line in text.splitlines())


def told(file: dict[str, Any]) -> Sequence[str]:
    """What is said of a file: notes, or why it is refused."""
    try:
        classes_of(file)
        about(file)
        return converted(file, SCHEMAS).notes
    except WorkflowError as exc:
        return [str(exc)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nodes": [7]}, "a node is an integer, not an object"),
        ({"nodes": [{"type": "SaveImage"}]}, "a node has no id"),
        ({"nodes": [{"id": True, "type": "SaveImage"}]}, "a node has no id"),
        ({"nodes": [{"id": "a\x1bb", "type": "SaveImage"}]}, "a node has no id"),
        ({"nodes": [{"id": 1}]}, '"type" is null'),
        ({"nodes": [{"id": 1, "type": "SaveImage", "inputs": {}}]}, '"inputs": it is an object'),
        ({"nodes": [{"id": 1, "type": "SaveImage", "inputs": [3]}]}, "one of them is an integer"),
        ({"links": {}}, '"links" is an object'),
        ({"definitions": []}, '"definitions" of the workflow cannot be read'),
        ({"definitions": {"subgraphs": [1]}}, "A subgraph is an integer"),
        ({"definitions": {"subgraphs": [{}]}}, "has no id"),
    ],
)
def test_a_file_that_is_not_what_the_editor_saves_is_refused(
    change: dict[str, Any], words: str
) -> None:
    assert words in str(refused({"nodes": [], "links": []} | change))


def test_two_nodes_with_one_id_are_refused_by_their_types() -> None:
    paper = Paper()
    paper.node("SaveImage", "x", id=5)
    paper.node("PreviewAny", id=5)

    error = refused(paper.json())

    assert error.node_id == "5"
    assert "SaveImage and PreviewAny" in str(error)


def test_all_classes_that_the_host_lacks_are_told_at_once() -> None:
    paper = Paper()
    paper.node("KSamplr")
    paper.node("Nobody\x1b[31m", properties={"cnr_id": "their-pack"})
    paper.node("Newer", properties={"cnr_id": "comfy-core"})
    paper.node("Left out", mode=PASSED)
    paper.node("KSamplr")

    text = str(refused(paper.json()))

    assert "KSamplr (node 1, 5, near: KSampler)" in text
    assert "Nobody\\x1b[31m (node 2, of the package their-pack" in text
    assert "Newer (node 3, of a newer or older ComfyUI" in text
    assert "Left out" not in text


def test_a_near_name_is_one_of_all_that_the_host_has_if_they_are_told() -> None:
    paper = Paper()
    paper.node("ImageInvrt")
    some = {"SaveImage": SCHEMAS["SaveImage"]}

    with pytest.raises(WorkflowError, match="near: ImageInvert"):
        converted(paper.json(), some, ["ImageInvert", "SaveImage"])


def test_many_classes_that_the_host_lacks_are_cut() -> None:
    paper = Paper()
    for number in range(200):
        paper.node(f"{'x' * 200}{number}")

    assert "and 180 more" in str(refused(paper.json()))


def test_five_thousand_nodes_are_converted_and_not_one_more() -> None:
    paper = Paper()
    for _ in range(MAX_NODES):
        paper.node("EmptyImage", 8, 8, 1, 0)
    file = paper.json()
    more = paper.json()
    more["nodes"] = [*more["nodes"], {"id": "one", "type": "EmptyImage"}]

    assert len(became(file)) == MAX_NODES
    assert f"more than the {MAX_NODES} allowed" in str(refused(more))


def doubling(depth: int) -> dict[str, Any]:
    """A subgraph of two of a subgraph of two of a subgraph..."""
    paper = Paper()
    inner = Paper("00000000", 1)
    inner.node("EmptyImage", 8, 8, 1, 0)
    for number in range(1, depth):
        outer = Paper(f"{number:08}", 1)
        outer.node(inner.board_id)
        outer.node(inner.board_id)
        paper.subgraphs.append(inner)
        inner = outer
    paper.use(inner)
    return paper.json()


@pytest.mark.parametrize("depth", [16, 28])
def test_subgraphs_that_unfold_to_too_much_are_refused_before_they_are_unfolded(depth: int) -> None:
    assert "With its subgraphs unfolded" in str(refused(doubling(depth)))


def test_subgraphs_that_unfold_to_enough_are_run() -> None:
    assert len(became(doubling(8))) == 2**7


def test_subgraphs_too_deep_in_one_another_are_refused() -> None:
    assert "more than 32 deep" in str(refused(doubling(40)))


def test_ten_thousand_reroutes_in_a_row_are_followed() -> None:
    count = 10_000
    socket = {"name": "", "type": "*"}
    nodes: list[dict[str, Any]] = [
        {"id": at, "type": "Reroute", "inputs": [socket | {"link": at}]} for at in range(1, count)
    ]
    nodes.append({"id": 0, "type": "EmptyImage", "widgets_values": [8, 8, 1, 0]})
    last = {"name": "images", "type": "IMAGE", "link": count}
    nodes.append({"id": count, "type": "SaveImage", "inputs": [last]})
    links = [[at + 1, at, 0, at + 1, 0, "IMAGE"] for at in range(count)]

    assert inputs_of({"nodes": nodes, "links": links})[str(count)]["images"] == ["0", 0]


def test_too_many_nodes_inputs_subgraphs_and_names_are_refused() -> None:
    many = [{"id": at, "type": "Note"} for at in range(20_001)]
    wide = {"id": 1, "type": "ImageInvert", "inputs": [{"name": "x"}] * 1001}
    boards = [{"id": str(at), "nodes": []} for at in range(2001)]
    names = {"id": 1, "type": "a", "properties": {"proxyWidgets": [["1", "x"]] * 1001}}

    assert "more than 20000 nodes" in str(refused({"nodes": many}))
    assert "more than 1000 of them" in str(refused({"nodes": [wide]}))
    assert "2000" in str(refused({"nodes": [], "definitions": {"subgraphs": boards}}))
    one = {"subgraphs": [{"id": "a", "nodes": []}]}
    assert "more than 1000 widgets" in str(refused({"nodes": [names], "definitions": one}))


def test_bypassed_nodes_with_too_many_types_to_compare_are_refused() -> None:
    kinds = [f"T{at}" for at in range(1000)]
    sockets = [{"name": each, "type": each} for each in kinds]
    outputs = [{"name": "o", "type": "IMAGE"}] * 1000
    strange = {"id": 0, "type": "Strange", "mode": 4, "inputs": sockets, "outputs": outputs}
    images = {"name": "images", "type": "IMAGE"}
    nodes = [
        {"id": at, "type": "SaveImage", "inputs": [images | {"link": at}]} for at in range(1, 4001)
    ]
    links = [[at, 0, at % 1000, at, 0, "*"] for at in range(1, 4001)]

    converted({"nodes": [strange, *nodes], "links": links}, SCHEMAS)
    for at, node in enumerate(nodes):
        node["type"], node["inputs"] = (
            "PreviewAny",
            [{"name": f"x{at}", "type": f"K{at}", "link": at + 1}],
        )
    assert "have too many inputs" in str(refused({"nodes": [strange, *nodes], "links": links}))
