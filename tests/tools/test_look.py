"""get_job and view_output: everything of one's own, of others only how it stands."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from comfy_mcp.embedded import EmbeddedHost, Faults
from tests.tools.desk import EVERYTHING, Sit, card, graph

pytestmark = pytest.mark.anyio


async def test_a_picture_is_shown_small_and_linked_whole(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(0x336699))
        result = await desk.call("view_output", uri=job["outputs"][0]["uri"])

    picture, words, link = result.content
    assert result.structured_content is None
    assert picture.mime_type == "image/jpeg"
    data = base64.b64decode(picture.data)
    assert len(data) < 100_000
    with Image.open(io.BytesIO(data)) as image:
        pixel = image.convert("RGB").getpixel((32, 32))
    assert all(abs(got - want) < 8 for got, want in zip(pixel, (0x33, 0x66, 0x99), strict=True))
    assert json.loads(words.text)["size"] == "64x64"
    assert str(link.uri) == job["outputs"][0]["uri"]


async def test_max_pixels_bounds_the_longest_side(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (uri,) = [one["uri"] for one in job["outputs"] if one.get("type") == "output"]
        result = await desk.call("view_output", uri=uri, max_pixels=100)

    with Image.open(io.BytesIO(base64.b64decode(result.content[0].data))) as image:
        assert image.size == (100, 75)


async def test_a_text_is_shown_as_text(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (uri,) = [one["uri"] for one in job["outputs"] if one["kind"] == "text"]
        result = await desk.call("view_output", uri=uri)

    assert json.loads(result.content[0].text)["text"] == "hello"


async def test_an_output_is_a_resource_with_its_own_media_type(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(7))
        read = await desk.client.read_resource(job["outputs"][0]["uri"])

    (content,) = read.contents
    assert content.mime_type == "image/png"
    assert base64.b64decode(content.blob).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "uri",
    [
        "comfy://jobs/x/outputs/y",
        "file:///etc/passwd",
        "comfy://jobs/../outputs/1",
        "comfy://jobs/./outputs/0",
        "",
    ],
)
async def test_what_is_no_output_is_told_so(sit: Sit, uri: str) -> None:
    async with sit() as desk:
        text, body = await desk.refusal("view_output", uri=uri)

    assert "not the uri of an output" in text
    assert body["code"] == "output"


async def test_an_output_that_is_not_there_is_told_so(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(8))
        text, _ = await desk.refusal(
            "view_output", uri=f"comfy://jobs/{job['prompt_id']}/outputs/5"
        )

    assert "no output 5" in text
    assert "0 to 0" in text


async def test_an_unknown_job_is_told_so(sit: Sit) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"

    async with sit() as desk:
        text, body = await desk.refusal("get_job", prompt_id=unknown)

    assert unknown in text
    assert body["code"] == "job_not_found"


async def test_of_another_agents_job_only_the_status_is_seen(sit: Sit) -> None:
    async with sit(grant="alice") as alice, sit(grant="bob") as bob:
        job = await alice.ask("run_workflow", workflow=card(9))
        seen = await bob.ask("get_job", prompt_id=job["prompt_id"])
        text, body = await bob.refusal("view_output", uri=job["outputs"][0]["uri"])

    assert seen["status"] == "completed"
    assert seen["owner"] == "other agent"
    assert seen["outputs"] == []
    assert "workflow" not in seen
    assert "next" not in seen
    assert body["code"] == "not_owner"
    assert text.startswith("[POLICY DENIED] not_owner:")


async def test_a_job_is_known_after_a_restart_of_the_server_and_of_comfyui(
    sit: Sit, host: EmbeddedHost
) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(10))

    await host.restart()

    async with sit() as desk:
        again = await desk.ask("get_job", prompt_id=job["prompt_id"])

    assert again["status"] == "completed"
    assert again["outputs"] == job["outputs"]


async def test_a_job_that_a_restart_of_comfyui_swallowed_is_lost_not_completed(
    sit: Sit, host: EmbeddedHost
) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(11), wait_seconds=0.05)
        await host.until(lambda now: now.running is not None)
        host.faults = Faults()
        await host.restart()
        after = await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=20)

    assert after["status"] == "lost"
    assert "restarted" in after["error"]["message"]


async def test_a_looker_does_not_hold_up_other_calls(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        slow = await desk.ask("run_workflow", workflow=card(12), wait_seconds=0)
        quick = await desk.ask("get_job", prompt_id=slow["prompt_id"])
        assert quick["status"] in {"pending", "in_progress"}
        done = await desk.ask("cancel_job", prompt_id=slow["prompt_id"], wait_seconds=0)

    assert done["outcome"] in {"cancelled", "still_running"}


async def test_of_very_many_outputs_the_first_are_listed_and_all_can_be_seen(sit: Sit) -> None:
    frames = graph("batch")
    frames["1"]["inputs"] |= {"batch_size": 25, "width": 16, "height": 16}

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=frames)
        last = f"comfy://jobs/{job['prompt_id']}/outputs/24"
        shown = await desk.call("view_output", uri=last)

    assert len(job["outputs"]) == 20
    assert any("25 outputs" in warning and last in warning for warning in job["warnings"])
    assert not shown.is_error


async def test_a_text_output_is_a_resource_of_text(sit: Sit) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=graph("medium"))
        (uri,) = [one["uri"] for one in job["outputs"] if one["kind"] == "text"]
        (content,) = (await desk.client.read_resource(uri)).contents

    assert (content.text, content.mime_type) == ("hello", "text/plain")


async def test_a_text_file_is_shown_as_text(sit: Sit) -> None:
    words = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "a poem"}},
        "2": {
            "class_type": "SaveText",
            "inputs": {"text": ["1", 0], "filename_prefix": "poem", "format": "txt"},
        },
    }

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=words)
        (uri,) = [one["uri"] for one in job["outputs"] if one.get("filename")]
        result = await desk.call("view_output", uri=uri)

    assert json.loads(result.content[0].text)["text"] == "a poem"


async def test_an_unfinished_job_has_no_outputs_yet(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(13), wait_seconds=0)
        text, _ = await desk.refusal(
            "view_output", uri=f"comfy://jobs/{job['prompt_id']}/outputs/0"
        )
        host.faults = Faults()

    assert "has not finished" in text


async def test_a_file_that_is_gone_is_told_so(sit: Sit, host: EmbeddedHost) -> None:
    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(14))
        (host.folder / "output" / job["outputs"][0]["filename"]).unlink()
        text, body = await desk.refusal("view_output", uri=job["outputs"][0]["uri"])

    assert "no longer has" in text
    assert body["code"] == "output"


async def test_a_lost_job_is_offered_to_be_run_again_to_those_who_may(
    sit: Sit, host: EmbeddedHost
) -> None:
    reading = {name: rule for name, rule in EVERYTHING["tools"].items() if name != "run_workflow"}
    host.faults = Faults(node_ms=60_000)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(11), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        await host.restart()
        lost = await desk.ask("get_job", prompt_id=job["prompt_id"], wait_seconds=20)
    async with sit({**EVERYTHING, "tools": reading}) as desk:
        again = await desk.ask("get_job", prompt_id=job["prompt_id"])

    assert lost["status"] == again["status"] == "lost"
    assert "run_workflow again" in lost["next"]
    assert "next" not in again


async def test_a_job_under_a_dead_worker_says_who_can_help(sit: Sit, host: EmbeddedHost) -> None:
    host.faults = Faults(dead_worker=True)

    async with sit() as desk:
        job = await desk.ask("run_workflow", workflow=card(12), wait_seconds=0)
        await host.until(lambda now: now.running == job["prompt_id"])
        await desk.ask("get_server_status")
        seen = await desk.ask("get_job", prompt_id=job["prompt_id"])

    assert "restart" in seen["next"]
