"""A frame means an event or nothing, whatever is in it: reading never raises."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.host import Closed, NodeProgress, NodesState, QueueChanged, Started, meaning

KINDS = [
    "status",
    "progress_state",
    "progress",
    "executing",
    "execution_start",
    "execution_cached",
    "execution_success",
    "execution_interrupted",
    "execution_error",
    "executed",
    "feature_flags",
    "logs",
]


def frame(kind: str, **data: Any) -> str:
    return json.dumps({"type": kind, "data": data})


def node(state: str, value: float = 0, most: float = 1, **more: Any) -> dict[str, Any]:
    return {"state": state, "value": value, "max": most, **more}


def test_a_status_tells_how_many_jobs_there_are() -> None:
    told = frame("status", status={"exec_info": {"queue_remaining": 3}}, sid="x")

    assert meaning(told) == QueueChanged(3)


@pytest.mark.parametrize("kind", ["execution_start", "execution_cached"])
def test_the_start_of_a_job_is_heard(kind: str) -> None:
    assert meaning(frame(kind, prompt_id="p", timestamp=1)) == Started("p")


def test_the_cached_nodes_of_a_job_are_heard() -> None:
    told = frame("execution_cached", prompt_id="p", nodes=["1", "7"], timestamp=1)

    assert meaning(told) == Started("p", cached=("1", "7"))


def test_the_node_at_work_is_the_one_the_graph_knows() -> None:
    told = frame("executing", prompt_id="p", node="12.0.0.3", display_node="12")

    assert meaning(told) == Started("p", "12")


def test_executing_nothing_ends_a_job_whose_history_is_there() -> None:
    assert meaning(frame("executing", prompt_id="p", node=None)) == Closed("p", settled=True)


def test_executing_without_a_prompt_id_names_no_job() -> None:
    assert meaning(frame("executing", node="10")) is None


@pytest.mark.parametrize("kind", ["execution_success", "execution_interrupted", "execution_error"])
def test_the_end_of_a_job_is_heard_before_its_history_is_there(kind: str) -> None:
    assert meaning(frame(kind, prompt_id="p", timestamp=1)) == Closed("p", settled=False)


def test_a_blocked_branch_is_not_the_end_of_a_job() -> None:
    told = frame("execution_error", prompt_id="p", exception_type="ExecutionBlocked")

    assert meaning(told) is None


def test_the_steps_of_a_node_are_heard() -> None:
    told = frame("progress", prompt_id="p", node="3", value=7, max=20)

    assert meaning(told) == NodeProgress("p", "3", 7, 20)


def test_the_state_of_all_nodes_is_counted() -> None:
    nodes = {
        "1": node("finished", 1, 1),
        "2": node("error", 1, 1),
        "3.0": node("running", 7, 20, node_id="3.0", display_node_id="3"),
    }

    assert meaning(frame("progress_state", prompt_id="p", nodes=nodes)) == NodesState(
        "p", 2, "3", 7, 20
    )


def test_a_state_without_a_running_node_names_none() -> None:
    told = frame("progress_state", prompt_id="p", nodes={"1": node("finished")})

    assert meaning(told) == NodesState("p", 1, None, 0, 0)


@pytest.mark.parametrize(
    "nodes", [{"1": {"state": ["finished"]}}, {"1": {"state": {}}}, {"1": None}, {"1": 5}, {}]
)
def test_nodes_of_an_odd_shape_are_not_counted(nodes: Any) -> None:
    told = frame("progress_state", prompt_id="p", nodes=nodes)

    assert meaning(told) == NodesState("p", 0, None, 0, 0)


@pytest.mark.parametrize("kind", ["executed", "feature_flags", "logs", "assets.seed", "preview"])
def test_what_is_of_no_use_means_nothing(kind: str) -> None:
    assert meaning(frame(kind, prompt_id="p", node="1")) is None


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\0\0\0\1\0\0\0\1\xff\xd8",
        "",
        "null",
        "[]",
        "5",
        '"status"',
        "{",
        "{}",
        '{"type": "status"}',
        '{"type": "status", "data": null}',
        '{"type": "status", "data": {"status": []}}',
        '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": "3"}}}}',
        '{"type": ["status"], "data": {}}',
        '{"type": {"a": 1}, "data": {"prompt_id": "p"}}',
        '{"type": "progress", "data": {"prompt_id": 5}}',
        '{"type": "progress_state", "data": {"prompt_id": "p", "nodes": []}}',
        "[" * 200_000,
        '{"a":' * 200_000,
        '{"type": "progress", "data": ' + "[" * 990 + "]" * 990 + "}",
        "9" * 5_000,
    ],
)
def test_junk_means_nothing(junk: str | bytes) -> None:
    assert meaning(junk) is None


@pytest.mark.parametrize("depth", range(900, 1001, 5))
def test_a_node_named_by_a_deep_heap_of_brackets_does_no_harm(depth: int) -> None:
    name = "[" * depth + "]" * depth

    told = meaning(f'{{"type": "executing", "data": {{"prompt_id": "p", "node": {name}}}}}')

    assert told is None or isinstance(told, Started)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "-5", "null", '"7"', "[]"]
)
def test_numbers_that_cannot_be_counted_with_are_nothing(number: str) -> None:
    data = f'{{"prompt_id": "p", "node": "3", "value": {number}, "max": {number}}}'

    told = meaning(f'{{"type": "progress", "data": {data}}}')

    assert told == NodeProgress("p", "3", 0, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["prompt_id", "node", "nodes", "value", "max", "state", "status", "exec_info"]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200)
@given(st.sampled_from(KINDS), st.just("p") | json_values, json_values)
def test_reading_any_data_of_any_kind_never_raises(kind: str, prompt_id: Any, data: Any) -> None:
    more = data if isinstance(data, dict) else {"nodes": data, "node": data, "value": data}

    event = meaning(json.dumps({"type": kind, "data": {**more, "prompt_id": prompt_id}}))

    if isinstance(event, NodeProgress | NodesState):
        assert math.isfinite(event.value)
        assert math.isfinite(event.most)
        assert event.value >= 0


@settings(max_examples=200)
@given(st.text() | st.binary())
def test_reading_any_frame_never_raises(junk: str | bytes) -> None:
    assert meaning(junk) is None
