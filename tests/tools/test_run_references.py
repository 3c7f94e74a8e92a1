"""Outputs of one run as inputs of the next, by reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.tools.desk import EVERYTHING, Desk, Sit, card, graph, sent
from tests.tools.sweeping import graph_of

pytestmark = pytest.mark.anyio


def blended(image: str) -> dict[str, Any]:
    """A picture read, and saved anew."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "b"}},
    }


async def made(desk: Desk) -> str:
    """The uri of a picture."""
    job = await desk.ask("run_workflow", workflow=card(7, prefix="sub/card"))
    return job["outputs"][0]["uri"]


async def test_an_output_is_an_input_of_a_graph(sit: Sit) -> None:
    async with sit() as desk:
        uri = await made(desk)
        job = await desk.ask("run_workflow", workflow=blended(uri))
        name = (await graph_of(desk, job["prompt_id"]))["1"]["inputs"]["image"]

    assert job["status"] == "completed"
    assert name == "sub/card_00001_.png [output]"


async def test_an_output_is_a_parameter_by_meaning_or_by_node(sit: Sit) -> None:
    async with sit() as desk:
        uri = await made(desk)
        for params in ({"image": uri}, {"1.image": uri}):
            job = await desk.ask("run_workflow", workflow=blended("example.png"), params=params)
            name = (await graph_of(desk, job["prompt_id"]))["1"]["inputs"]["image"]
            assert name == "sub/card_00001_.png [output]"


async def test_an_output_is_a_parameter_of_a_workflow_of_the_library(
    sit: Sit, tmp_path: Path
) -> None:
    library_of_blends(tmp_path / "workflows")

    async with sit(workflows=(tmp_path / "workflows",)) as desk:
        uri = await made(desk)
        job = await desk.ask("run_workflow", workflow="blend", params={"image": uri})
        again = await desk.ask("run_workflow", from_prompt_id=job["prompt_id"])
        marked, _ = await desk.refusal(
            "run_workflow", workflow="blend", params={"image": "sub/card_00001_.png [output]"}
        )
        origin = await (await desk.services.jobs()).origin(job["prompt_id"], "local")

    assert job["status"] == again["status"] == "completed"
    assert origin is not None
    assert origin["values"] == {"image": uri}
    assert "without a mark" in marked


def library_of_blends(folder: Path) -> None:
    """The operator's workflow ``blend``."""
    import json  # noqa: PLC0415 - only here

    fills = [{"node": "1", "input": "image"}]
    image = {"name": "image", "type": "image", "description": "A picture.", "fills": fills}
    folder.mkdir()
    file = {"title": "Blend", "parameters": [image], "graph": blended("example.png")}
    (folder / "blend.json").write_text(json.dumps(file))


async def test_a_temporary_output_can_be_used_too(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (temp,) = [one["uri"] for one in job["outputs"] if one.get("type") == "temp"]
        after = await desk.ask("run_workflow", workflow=blended(temp))
        name = (await graph_of(desk, after["prompt_id"]))["1"]["inputs"]["image"]

    assert after["status"] == "completed"
    assert name.endswith(" [temp]")


async def test_what_is_no_file_of_ones_own_is_refused_in_words(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (text,) = [one["uri"] for one in job["outputs"] if one["kind"] == "text"]
        before = len(sent(host))
        for uri, words in (
            (text, "is a text and no file"),
            (f"comfy://jobs/{job['prompt_id']}/outputs/99", "does not exist"),
            ("comfy://jobs/nobody/outputs/0", "not an output of a job of yours"),
            ("comfy://jobs/../outputs/0", "not the uri of an output"),
            ("comfy://x", "not the uri of an output"),
        ):
            told, body = await desk.refusal("run_workflow", workflow=blended(uri))
            assert words in told
            assert body["code"] == "workflow"

    assert len(sent(host)) == before


async def test_an_output_that_is_not_there_yet_is_waited_for(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(1), wait_seconds=0)
        uri = f"comfy://jobs/{job['prompt_id']}/outputs/0"
        told, _ = await desk.refusal("run_workflow", workflow=blended(uri))
        host.faults = Faults()

    assert "is not there yet" in told
    assert "get_job" in told


async def test_anothers_output_is_not_an_input_and_not_even_named(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        uri = await made(desk)
    before = len(sent(host))

    async with sit(grant="other") as other:
        told, _ = await other.refusal("run_workflow", workflow=blended(uri))
    assert "card_0" not in told
    assert "not an output of a job of yours" in told
    assert len(sent(host)) == before

    async with sit({**EVERYTHING, "gpu": {"ownership": "any"}}, grant="other") as other:
        job = await other.ask("run_workflow", workflow=blended(uri))
    assert job["status"] == "completed"


async def test_a_prompt_that_speaks_of_a_reference_is_left_as_it_is(sit: Sit) -> None:
    words = "like comfy://jobs/x/outputs/0"
    says = {"1": {"class_type": "PreviewAny", "inputs": {"source": words}}}

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=says)

    assert job["outputs"][0]["text"] == words
