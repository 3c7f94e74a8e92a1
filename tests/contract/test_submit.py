"""POST /prompt takes what can run, under the id and number that the client wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def test_a_job_is_taken_under_the_id_the_client_chose(comfyui: Comfy) -> None:
    prompt_id = new_id()

    answer = await comfyui.submit(fresh("small"), prompt_id=prompt_id)

    assert answer.status == 200
    assert set(answer.body) == {"prompt_id", "number", "node_errors"}
    assert answer.body["prompt_id"] == prompt_id
    assert isinstance(answer.body["number"], int)
    assert answer.body["node_errors"] == {}


async def test_where_a_job_came_from_is_kept_since_there_is_a_header(comfyui: Comfy) -> None:
    said = {"Comfy-Usage-Source": "contract"}
    body = {"prompt": fresh("small"), "extra_data": {"mine": 1}}
    answer = await comfyui.ask("POST", "/prompt", json=body, headers=said)
    prompt_id = answer.body["prompt_id"]
    await comfyui.run(fresh("small"))

    extra = (await comfyui.get(f"/history/{prompt_id}")).body[prompt_id]["prompt"][3]

    assert extra["mine"] == 1
    assert (extra.get("comfy_usage_source") == "contract") is comfyui.since("0.25.0")


async def test_without_an_id_the_host_gives_one(comfyui: Comfy) -> None:
    answer = await comfyui.submit(fresh("small"))

    assert answer.status == 200
    assert len(answer.body["prompt_id"]) == len(new_id())


async def test_numbers_rise_and_front_jobs_get_negative_ones(comfyui: Comfy) -> None:
    first = (await comfyui.submit(fresh("small"))).body["number"]
    await comfyui.submit({})
    second = (await comfyui.submit(fresh("small"))).body["number"]
    front = (await comfyui.submit(fresh("small"), front=True)).body["number"]

    assert second >= first + 2
    assert front <= -(second + 1)


async def test_a_number_of_the_clients_is_told_back_as_a_float(comfyui: Comfy) -> None:
    answer = await comfyui.submit(fresh("small"), number=-3)

    assert answer.body["number"] == -3.0
    assert isinstance(answer.body["number"], float)


async def test_what_is_wrong_is_dropped_and_the_rest_runs(comfyui: Comfy) -> None:
    nodes = fresh("medium")
    nodes["4"]["inputs"]["upscale_method"] = "nope"
    prompt_id = new_id()

    ended = await comfyui.run(nodes, prompt_id=prompt_id)

    assert set(ended.entry["outputs"]) == {"7", "9"}
    assert sorted(ended.entry["prompt"][4]) == ["7", "9"]


async def test_node_errors_come_with_a_200_when_something_can_run(comfyui: Comfy) -> None:
    nodes = fresh("medium")
    nodes["4"]["inputs"]["upscale_method"] = "nope"

    answer = await comfyui.submit(nodes)

    assert answer.status == 200
    entry = answer.body["node_errors"]["4"]
    assert entry["dependent_outputs"] == ["6"]
    assert entry["errors"][0]["type"] == "value_not_in_list"
    methods = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
    assert entry["errors"][0]["details"] == f"upscale_method: 'nope' not in {methods}"
    assert entry["errors"][0]["extra_info"]["input_config"] == [methods, {}]


async def test_ids_that_are_no_uuid_are_refused_since_they_matter(comfyui: Comfy) -> None:
    for asked in ("my-id", 5, new_id().upper()):
        answer = await comfyui.submit(fresh("small"), prompt_id=asked)

        if comfyui.since("0.25.0"):
            assert (answer.status, answer.body["error"]["type"]) == (400, "invalid_prompt_id")
        else:
            assert (answer.status, answer.body["prompt_id"]) == (200, str(asked))


async def test_null_as_id_means_any(comfyui: Comfy) -> None:
    answer = await comfyui.submit(fresh("small"), prompt_id=None)

    assert answer.status == 200
    assert (answer.body["prompt_id"] == "None") is not comfyui.since("0.25.0")


async def test_values_are_converted_and_wrapped_lists_unwrapped_in_place(comfyui: Comfy) -> None:
    nodes = fresh("small")
    nodes["1"]["inputs"] |= {"width": "64", "height": {"__value__": 64.7}}

    ended = await comfyui.run(nodes)

    inputs = ended.entry["prompt"][2]["1"]["inputs"]
    assert (inputs["width"], inputs["height"]) == (64, 64)


async def test_inputs_that_no_node_knows_are_ignored(comfyui: Comfy) -> None:
    nodes = fresh("small")
    nodes["1"]["inputs"]["nonsense"] = 5

    ended = await comfyui.run(nodes)

    assert ended.entry["status"]["completed"] is True


async def test_a_link_to_an_input_that_no_node_knows_fails_the_node(comfyui: Comfy) -> None:
    nodes = fresh("small")
    nodes["1"]["inputs"]["mystery"] = ["3", 0]
    nodes["3"] = {"class_type": "PrimitiveInt", "inputs": {"value": 5}}

    ended = await comfyui.run(nodes)

    _event, told = ended.entry["status"]["messages"][-1]
    assert told["exception_type"] == "TypeError"
    assert told["exception_message"].endswith("got an unexpected keyword argument 'mystery'\n")


async def test_an_orphan_with_a_dangling_link_harms_nobody(comfyui: Comfy) -> None:
    nodes = fresh("small") | {"50": {"class_type": "ImageInvert", "inputs": {"image": ["77", 0]}}}

    ended = await comfyui.run(nodes)

    assert ended.entry["status"]["completed"] is True


async def test_everything_answers_below_api_too(comfyui: Comfy) -> None:
    answer = await comfyui.post("/api/prompt", {"prompt": fresh("small")})

    assert answer.status == 200
    assert (await comfyui.get("/api/prompt")).status == 200
