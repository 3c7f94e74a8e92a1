"""run_workflow: one call, one run, told truthfully."""

from __future__ import annotations

import pytest

from comfy_mcp.embedded import BadAnswer, EmbeddedHost, Faults
from tests.tools.desk import Sit, card, graph, sent

pytestmark = pytest.mark.anyio


async def test_a_small_workflow_comes_back_with_its_picture(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(1))

    assert job["status"] == "completed"
    assert job["workflow"] == "inline"
    assert job["timings"]["running"] >= 0
    (output,) = job["outputs"]
    assert output["uri"] == f"comfy://jobs/{job['prompt_id']}/outputs/0"
    assert output["kind"] == "image"
    assert output["mime_type"] == "image/png"
    assert output["url"].endswith("type=output")
    assert "view_output" in job["next"]


async def test_a_library_workflow_is_run_by_name_with_parameters(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        params = {"color": 255, "width": 128, "height": 128}
        job = await desk.ask("run_workflow", workflow="color_card", params=params)

    assert job["status"] == "completed"
    assert job["workflow"] == "color_card"
    assert sent(host) == ["POST /prompt"]


async def test_every_kind_of_output_is_listed(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))

    kinds = sorted((output["kind"], output.get("type")) for output in job["outputs"])
    assert kinds == [("image", "output"), ("image", "temp"), ("text", None)]
    assert {output.get("text") for output in job["outputs"]} == {None, "hello"}


async def test_a_failed_node_is_named_and_what_had_finished_is_kept(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("fails_at_execution"))

    assert job["status"] == "failed"
    assert job["error"]["node_id"] == "2"
    assert job["error"]["node_type"] == "RegexReplace"
    assert "pattern" in job["error"]["message"]
    assert [output["text"] for output in job["outputs"]] == ["abc"]


async def test_a_refused_workflow_names_node_input_and_reason(sit: Sit) -> None:
    async with sit() as desk:
        words, body = await desk.refusal("run_workflow", workflow=graph("fails_at_validation"))

    assert "node 1 (EmptyImage), input width" in words
    assert body["code"] == "host_rejected"
    assert body["nodes"][0]["type"] == "value_smaller_than_min"


async def test_dropped_outputs_of_a_half_valid_workflow_are_warnings(sit: Sit) -> None:
    half = graph("medium")
    half["4"]["inputs"]["upscale_method"] = "nope"

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=half)

    assert job["status"] == "completed"
    assert any("upscale_method" in warning for warning in job["warnings"])


async def test_a_wait_that_runs_out_returns_the_handle(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(2), wait_seconds=0.05)
        assert job["status"] in {"pending", "in_progress"}
        assert "get_job" in job["next"]

        host.faults = Faults()
        job = await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=20)

    assert job["status"] == "completed"


async def test_progress_grows_and_ends_at_a_hundred(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=20)

    async with sit() as desk:
        await desk.ask("run_workflow", workflow=graph("medium"))

    values = [value for value, _ in desk.progress]
    assert values == sorted(set(values))
    assert len(values) > 3


@pytest.mark.parametrize(
    ("workflow", "words"),
    [
        ({"nodes": [], "links": []}, "empty"),
        ({}, "empty"),
        ("txt2imgg", "txt2img"),
        ("../../etc/passwd", "no workflow"),
        ({"1": {"class_type": "EmptyImage"}}, "inputs"),
        (
            {"1": {"class_type": "PreviewAny", "inputs": {"source": ["99", 0]}}},
            "99",
        ),
        ({"1": {"class_type": "NoSuchNode", "inputs": {}}}, "NoSuchNode"),
        (
            {"1": {"class_type": "EmptyImage", "inputs": {"x": "y" * 10_000_000}}},
            "bigger than 4 MiB",
        ),
    ],
    ids=["ui-format", "empty", "typo", "path", "no-inputs", "dangling", "unknown-node", "10MB"],
)
async def test_a_workflow_that_cannot_run_is_refused_with_the_reason(
    sit: Sit, host: EmbeddedHost, workflow: object, words: str
) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("run_workflow", workflow=workflow)

        assert words.lower() in text.lower()
        assert body["code"] in {"workflow", "host_rejected"}
        assert not host.pending
        assert host.running is None

        again = await desk.ask("run_workflow", workflow=card(3))

    assert again["status"] == "completed"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"widht": 64}, "width"),
        ({"width": "64"}, "width"),
        ({"width": 10_000_000}, "width"),
    ],
)
async def test_a_wrong_parameter_is_refused_before_anything_is_sent(
    sit: Sit, host: EmbeddedHost, params: dict[str, object], words: str
) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("run_workflow", workflow="color_card", params=params)

    assert words in text
    assert body["code"] == "workflow"
    assert sent(host) == []


async def test_a_missing_model_is_named(sit: Sit) -> None:
    params = {"prompt": "a cat", "checkpoint": "nobody-has-this.safetensors"}

    async with sit() as desk:
        text, _ = await desk.refusal("run_workflow", workflow="txt2img", params=params)

    assert "ckpt_name" in text
    assert "nobody-has-this.safetensors" in text


async def test_a_host_that_is_down_is_told_with_what_to_do(sit: Sit) -> None:
    async with sit(url="http://127.0.0.1:9") as desk:
        text, body = await desk.refusal("run_workflow", workflow=card(4))

    assert "No ComfyUI at http://127.0.0.1:9" in text
    assert body == {"code": "host_unreachable", "retryable": True}


async def test_a_run_that_never_reached_the_host_frees_its_slot(sit: Sit) -> None:
    one = {
        "version": "1",
        "tools": {"run_workflow": {}},
        "gpu": {"max_in_flight": 1},
    }
    async with sit(one, url="http://127.0.0.1:9") as desk:
        first = await desk.refusal("run_workflow", workflow=card(5))
        second = await desk.refusal("run_workflow", workflow=card(5))

    assert first[1]["code"] == second[1]["code"] == "host_unreachable"


@pytest.mark.parametrize(
    "node",
    [
        {"class_type": "LoadImage", "inputs": {"image": "private_00001_.png [output]"}},
        {"class_type": "LoadImageOutput", "inputs": {"image": "private_00001_.png"}},
    ],
)
async def test_a_workflow_does_not_read_what_another_job_made(
    sit: Sit, host: EmbeddedHost, node: dict[str, object]
) -> None:
    stealing = {"1": node, "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}

    async with sit() as desk:
        _, denial = await desk.refusal("run_workflow", workflow=stealing)

    assert denial["code"] == "input_path"
    assert sent(host) == []


async def test_the_id_is_told_before_the_wait_is_over(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(6))

    assert f"submitted as {job['prompt_id']}" in [words for _, words in desk.progress]


async def test_half_a_character_in_a_workflow_is_refused_in_words(sit: Sit) -> None:
    halves = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "x"}},
        "2": {
            "class_type": "RegexReplace",
            "inputs": {
                "string": ["1", 0],
                "regex_pattern": "x",
                "replace": "\ud83d",
                "case_insensitive": False,
                "multiline": False,
                "dotall": False,
                "count": 0,
            },
        },
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
    }

    async with sit() as desk:
        result = await desk.call("run_workflow", workflow=halves)

    assert result.is_error
    assert "Error executing" not in result.content[0].text


async def test_what_was_left_to_chance_stays_with_the_job(sit: Sit) -> None:
    params = {
        "prompt": "a lake",
        "checkpoint": "embedded-demo.safetensors",
        "width": 64,
        "height": 64,
        "steps": 1,
    }
    asked = {"workflow": "txt2img", "params": params, "idempotency_key": "painted"}

    async with sit() as desk:
        first = await desk.ask("run_workflow", **asked)
        later = await desk.ask("get_job", prompt_id=first["prompt_id"])
        again = await desk.ask("run_workflow", **asked)

    drawn = [warning for warning in first["warnings"] if "at random" in warning]
    assert drawn
    assert set(drawn) <= set(later["warnings"]) & set(again["warnings"])


async def test_a_refusal_that_comes_late_is_told_by_get_job(sit: Sit, host: EmbeddedHost) -> None:
    bad = card(1)
    bad["1"]["inputs"]["width"] = 0
    host.faults = Faults(http=(BadAnswer("slow", "POST", "/prompt", delay_ms=2_500),))

    async with sit() as desk:
        begun = await desk.ask("run_workflow", workflow=bad, wait_seconds=0)
        ended = await desk.ask("get_job", prompt_id=begun["prompt_id"], wait_seconds=20)

    assert begun["status"] == "pending"
    assert ended["status"] == "failed"
    assert "width" in ended["error"]["message"]
