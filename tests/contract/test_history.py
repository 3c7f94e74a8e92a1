"""The history keeps what ended, in the order of ending, and never says 404."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio


async def test_an_entry_has_prompt_outputs_status_and_meta(comfyui: Comfy) -> None:
    ended = await comfyui.run(fresh("small"))

    assert set(ended.entry) == {"prompt", "outputs", "status", "meta"}
    assert ended.entry["prompt"][1] == ended.prompt_id
    assert len(ended.entry["prompt"]) == 5
    status = ended.entry["status"]
    assert (status["status_str"], status["completed"]) == ("success", True)
    events = [event for event, _data in status["messages"]]
    assert events == ["execution_start", "execution_cached", "execution_success"]
    assert all(data["prompt_id"] == ended.prompt_id for _event, data in status["messages"])
    assert all(isinstance(data["timestamp"], int) for _event, data in status["messages"])
    meta = {"node_id": "2", "display_node": "2", "parent_node": None, "real_node_id": "2"}
    assert ended.entry["meta"] == {"2": meta}


async def test_an_unknown_id_is_an_empty_object(comfyui: Comfy) -> None:
    answer = await comfyui.get(f"/history/{new_id()}")

    assert (answer.status, answer.body) == (200, {})


async def test_slices_count_from_the_end_or_with_offset_from_the_start(comfyui: Comfy) -> None:
    ids = [(await comfyui.run(fresh("small"))).prompt_id for _ in range(3)]

    everything = list((await comfyui.get("/history")).body)
    last = list((await comfyui.get("/history", max_items=2)).body)
    start = everything.index(ids[0])
    middle = list((await comfyui.get("/history", max_items=2, offset=start)).body)
    rest = list((await comfyui.get("/history", offset=start)).body)

    assert [each for each in everything if each in ids] == ids, "oldest first"
    assert last == everything[-2:]
    assert middle == everything[start : start + 2]
    assert rest[: len(everything) - start] == everything[start:]
    assert (await comfyui.get("/history", max_items=0)).body == {}


async def test_a_slice_must_be_a_number(comfyui: Comfy) -> None:
    assert (await comfyui.get("/history", max_items="x")).status == 500


async def test_an_entry_can_be_deleted_and_a_second_time_too(comfyui: Comfy) -> None:
    prompt_id = (await comfyui.run(fresh("small"))).prompt_id

    for _ in range(2):
        answer = await comfyui.post("/history", {"delete": [prompt_id]})
        assert (answer.status, answer.body) == (200, "")

    assert (await comfyui.get(f"/history/{prompt_id}")).body == {}


async def test_a_second_job_of_one_id_takes_the_place_of_the_first(comfyui: Comfy) -> None:
    first = await comfyui.run(fresh("small"))
    between = await comfyui.run(fresh("small"))
    second = await comfyui.run(fresh("batch"), prompt_id=first.prompt_id)

    order = list((await comfyui.get("/history")).body)
    assert order.index(first.prompt_id) < order.index(between.prompt_id)
    assert len(second.entry["outputs"]["2"]["images"]) == 4


async def test_a_node_that_raises_is_told_and_what_was_done_is_kept(comfyui: Comfy) -> None:
    ended = await comfyui.run(fresh("fails_at_execution"))

    status = ended.entry["status"]
    assert (status["status_str"], status["completed"]) == ("error", False)
    event, data = status["messages"][-1]
    assert event == "execution_error"
    assert set(data) == {
        "prompt_id", "node_id", "node_type", "executed", "exception_message", "exception_type",
        "traceback", "current_inputs", "current_outputs", "timestamp",
    }  # fmt: skip
    assert (data["node_id"], data["node_type"]) == ("2", "RegexReplace")
    assert data["exception_type"] == "re.error"
    assert data["exception_message"] == "missing ), unterminated subpattern at position 0\n"
    assert data["current_inputs"]["regex_pattern"] == ["("]
    assert set(data["executed"]) == {"1", "4"}
    assert list(ended.entry["outputs"]) == ["4"]


async def test_leaving_the_output_folder_fails_at_execution(comfyui: Comfy) -> None:
    graph = fresh("small")
    graph["2"]["inputs"]["filename_prefix"] = "../../evil"

    ended = await comfyui.run(graph)

    _event, data = ended.entry["status"]["messages"][-1]
    assert data["exception_type"] == "Exception"
    assert "Saving image outside the output folder is not allowed" in data["exception_message"]
    assert ended.entry["outputs"] == {}
