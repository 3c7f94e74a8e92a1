"""The websocket tells a job's client what happens, in ComfyUI's order, and others little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.probe import fresh, new_id

if TYPE_CHECKING:
    from tests.contract.probe import Comfy

pytestmark = pytest.mark.anyio

FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


async def test_the_first_message_is_a_status_with_the_clients_id(comfyui: Comfy) -> None:
    async with comfyui.listen() as listener:
        first = await listener.until_type("status")

    assert first["data"]["sid"] == listener.sid
    assert set(first["data"]["status"]["exec_info"]) == {"queue_remaining"}


async def test_a_client_without_an_id_gets_one(comfyui: Comfy) -> None:
    async with comfyui.session.ws_connect(f"{comfyui.url}/ws") as socket:
        message = await socket.receive_json()

    assert len(message["data"]["sid"]) == 32


async def test_a_job_is_told_in_order(comfyui: Comfy) -> None:
    ended = await comfyui.run(fresh("small"))

    assert ended.types == [
        "execution_start",
        "execution_cached",
        "progress_state",
        "executing",
        "progress_state",
        "progress_state",
        "executing",
        "executed",
        "progress_state",
        "execution_success",
        "executing",
    ]
    assert [data["node"] for data in ended.of("executing")] == ["1", "2", None]
    assert ended.of("execution_cached")[0]["nodes"] == []
    [shown] = ended.of("executed")
    assert set(shown) == {"node", "display_node", "output", "prompt_id"}
    assert shown["output"] == ended.entry["outputs"]["2"]


async def test_progress_states_repeat_every_started_node(comfyui: Comfy) -> None:
    ended = await comfyui.run(fresh("small"))

    states = [
        {node_id: node["state"] for node_id, node in data["nodes"].items()}
        for data in ended.of("progress_state")
    ]
    done = "finished"
    assert states == [
        {"1": "running"},
        {"1": done},
        {"1": done, "2": "running"},
        {"1": done, "2": done},
    ]
    assert set(ended.of("progress_state")[0]["nodes"]["1"]) == {
        "value", "max", "state", "node_id", "prompt_id",
        "display_node_id", "parent_node_id", "real_node_id",
    }  # fmt: skip


async def test_a_job_that_was_done_before_repeats_its_outputs_and_runs_nothing(
    comfyui: Comfy,
) -> None:
    graph = fresh("small")
    first = await comfyui.run(graph)

    second = await comfyui.run(graph)

    assert second.of("execution_cached")[0]["nodes"] == ["1", "2"]
    assert second.types == [
        "execution_start",
        "execution_cached",
        "executed",
        "progress_state",
        "execution_success",
        "executing",
    ]
    assert second.entry["outputs"] == first.entry["outputs"]


async def test_a_node_that_raises_ends_the_job_with_execution_error(comfyui: Comfy) -> None:
    ended = await comfyui.run(fresh("fails_at_execution"))

    plain = [kind for kind in ended.types if kind != "progress_state"]
    assert plain[-2:] == ["execution_error", "executing"]
    assert ended.of("executing")[-1] == {"node": None, "prompt_id": ended.prompt_id}
    told = ended.of("execution_error")[0]
    _event, kept = ended.entry["status"]["messages"][-1]
    assert {**told, "executed": set(told["executed"])} == {
        **kept,
        "executed": set(kept["executed"]),
    }


async def test_an_interrupted_job_is_told_to_its_client(comfyui: Comfy) -> None:
    async with comfyui.busy() as (prompt_id, listener):
        await comfyui.post("/interrupt", {"prompt_id": prompt_id})
        told = await listener.until_type("execution_interrupted")
        await listener.until_end(prompt_id)

    assert told["data"]["prompt_id"] == prompt_id


async def test_others_hear_of_a_job_nothing_but_the_queues_length(comfyui: Comfy) -> None:
    async with comfyui.listen() as other:
        await comfyui.run(fresh("small"))
        marker = await comfyui.submit(fresh("small"), client_id=other.sid, prompt_id=new_id())
        await other.until_type("execution_start")
        await other.until_end(marker.body["prompt_id"])

    before = other.messages[: [m["type"] for m in other.messages].index("execution_start")]
    assert {message["type"] for message in before} == {"status"}


async def test_a_job_without_a_client_tells_everybody_its_progress_and_no_more(
    comfyui: Comfy,
) -> None:
    async with comfyui.listen() as anybody:
        await anybody.until_type("status")
        prompt_id = (await comfyui.submit(fresh("small"))).body["prompt_id"]
        await anybody.until(
            lambda m: (
                m["type"] == "progress_state"
                and m["data"]["prompt_id"] == prompt_id
                and m["data"]["nodes"].get("2", {}).get("state") == "finished"
            )
        )
        await comfyui.submit(fresh("small"), client_id=anybody.sid)
        await anybody.until_type("execution_success")

    of_job = [m["type"] for m in anybody.messages if m["data"].get("prompt_id") == prompt_id]
    assert set(of_job) == {"progress_state"}


async def test_who_connects_while_its_job_runs_is_told_the_node_only(comfyui: Comfy) -> None:
    async with comfyui.busy() as (_prompt_id, listener), comfyui.listen(listener.sid) as again:
        first = await again.until_type("status")
        second = await again.until(lambda _message: True)
        # The table of clients now holds the second socket, which hears the end of the job.
        await comfyui.post("/interrupt", {"prompt_id": _prompt_id})
        await again.until_end(_prompt_id)
        listener.messages.clear()

    assert first["data"]["sid"] == listener.sid
    assert second == {"type": "executing", "data": {"node": "3"}}


async def test_features_are_exchanged_in_the_first_message(comfyui: Comfy) -> None:
    async with comfyui.listen() as listener:
        await listener.say(FLAGS)
        answer = await listener.until_type("feature_flags")

    assert answer["data"]["supports_preview_metadata"] is True
    assert answer["data"]["max_upload_size"] == 104857600
    assert answer["data"] == (await comfyui.get("/features")).body


async def test_junk_before_it_is_forgiven_but_other_json_is_not(comfyui: Comfy) -> None:
    async with comfyui.listen() as junk, comfyui.listen() as late:
        await junk.say("no json")
        await junk.say(FLAGS)
        await junk.until_type("feature_flags")
        await late.say({"type": "hello"})
        await late.say(FLAGS)
        prompt_id = new_id()
        await comfyui.submit(fresh("small"), client_id=late.sid, prompt_id=prompt_id)
        await late.until_end(prompt_id)

    assert "feature_flags" not in [message["type"] for message in late.messages]


async def test_the_end_of_an_older_socket_silences_the_newer_one(comfyui: Comfy) -> None:
    sid, prompt_id = new_id(), new_id()
    async with comfyui.listen(sid) as older:
        await older.until_type("status")
        async with comfyui.listen(sid) as newer, comfyui.listen() as witness:
            await newer.until_type("status")
            await witness.until_type("status")
            await older.socket.close()
            await comfyui.submit(fresh("small"), client_id=sid, prompt_id=prompt_id)
            await witness.until(lambda m: m["type"] == "status")
            await comfyui.run(fresh("small"))
            newer.messages.clear()
            await newer.socket.close()

    assert newer.messages == []
    assert prompt_id in (await comfyui.get("/history")).body
