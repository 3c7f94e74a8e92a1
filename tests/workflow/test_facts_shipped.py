"""Promise: the shipped workflows and those of the fixtures are measured as they will run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfy_mcp.library import Library, shipped_folder
from comfy_mcp.workflow import Facts, Graph, Known, digest, fill, parse_graph
from comfy_mcp.workflow.facts import FACTS
from comfy_mcp.workflow.measure import asked, measure

LIBRARY = Library([shipped_folder()])
PHOTO = Known(pictures={"photo.png": (800, 600)})
FIXTURES = Path(__file__).parent.parent / "fixtures" / "workflows"


def filled(name: str, **params: object) -> Graph:
    workflow = LIBRARY.load(name)
    return fill(workflow.graph, workflow.manifest, params, draw_seed=lambda: 7).graph


def numbers(facts: Facts) -> tuple[int, int, int, int, int]:
    return facts.steps, facts.total_steps, facts.width, facts.height, facts.batch


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("txt2img", {"prompt": "x"}, (20, 20, 512, 512, 1)),
        (
            "txt2img",
            {"prompt": "x", "steps": 30, "width": 768, "batch_size": 4},
            (30, 120, 768, 512, 4),
        ),
        ("img2img", {"prompt": "x", "image": "photo.png"}, (20, 20, 800, 600, 1)),
        ("upscale", {"image": "photo.png"}, (0, 0, 3200, 2400, 1)),
        ("color_card", {"width": 1024}, (0, 0, 1024, 512, 1)),
    ],
)
def test_a_shipped_workflow_is_fully_determined(
    name: str, params: dict[str, object], expected: tuple[int, ...]
) -> None:
    graph = filled(name, **params)
    facts = measure(graph, PHOTO)

    assert numbers(facts) == expected
    assert facts.undetermined == {}
    assert facts.unknown_classes == {}
    assert [each.value for each in facts.output_prefixes] == [f"guard/{name}"]
    assert asked(graph, FACTS).classes == frozenset()
    assert asked(graph, FACTS).pictures == ({"photo.png"} if "image" in params else frozenset())


def test_bytes_are_those_that_the_digest_is_made_of() -> None:
    graph = filled("txt2img", prompt="x")
    text = json.dumps(graph.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert measure(graph, Known()).bytes == len(text.encode())
    assert digest(json.loads(text)) == digest(graph.to_json())


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_workflows_that_run_on_a_real_comfyui_need_no_request(path: Path) -> None:
    graph = parse_graph(json.loads(path.read_text()))
    facts = measure(graph, Known())

    assert asked(graph, FACTS).classes == frozenset()
    assert facts.nodes == len(graph.nodes)
    assert facts.undetermined == {}
