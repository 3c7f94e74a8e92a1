"""ComfyUI's answers about a job are read for what they say, odd ones included."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_mcp.host import NodeFailure, OutputFile
from comfy_mcp.host.sighting import MAX_OUTPUTS, MAX_TEXT, ended, outputs_of
from comfy_mcp.host.wire import HistoryStatus


def status(*messages: tuple[str, dict[str, Any]], word: str = "") -> HistoryStatus:
    return HistoryStatus(status_str=word, messages=list(messages))


def test_messages_win_over_the_status_word() -> None:
    failed = status(("execution_error", {"exception_type": "E"}), word="success")
    stopped = status(("execution_interrupted", {}), word="error")

    assert ended({}, failed).outcome == "failed"
    assert ended({}, stopped).outcome == "cancelled"


def test_an_error_without_a_reason_is_a_failure_all_the_same() -> None:
    end = ended({}, status(word="error"))

    assert end.outcome == "failed"
    assert end.failure == NodeFailure("unknown", "ComfyUI gave no reason.")


def test_a_success_is_completed_with_its_times_and_cached_nodes() -> None:
    end = ended(
        {},
        status(
            ("execution_start", {"timestamp": 1000}),
            ("execution_cached", {"nodes": ["1", "2"], "timestamp": 1001}),
            ("execution_success", {"timestamp": 1500}),
            word="success",
        ),
    )

    assert (end.outcome, end.started_ms, end.ended_ms, end.cached_nodes) == (
        "completed",
        1000,
        1500,
        2,
    )


def test_a_failure_names_node_and_cause_without_its_traceback() -> None:
    told = {
        "node_id": 4,
        "node_type": "RegexReplace",
        "exception_type": "re.error",
        "exception_message": " missing )\n",
        "traceback": ["secret"],
    }

    assert ended({}, status(("execution_error", told))).failure == NodeFailure(
        "re.error", "missing )", "4", "RegexReplace"
    )


def test_files_are_found_under_every_key_and_texts_under_text_only() -> None:
    file = {"filename": "a.png", "subfolder": "s", "type": "temp"}
    outputs = {
        "1": {"images": [file], "animated": [True]},
        "2": {"gifs": [{"filename": "b.mp4", "subfolder": None, "type": "output"}]},
        "3": {"text": ["hello", 5, None], "files": [{"filename": "t.txt"}]},
        "4": {"result": ["model.glb", {"camera": 1}, None], "3d": [{"filename": "m.glb"}]},
        "5": None,
        "6": {"images": None},
    }

    assert outputs_of(outputs) == (
        OutputFile("1", "images", "a.png", "s", "temp"),
        OutputFile("2", "gifs", "b.mp4"),
        OutputFile("3", "text", text="hello"),
        OutputFile("3", "files", "t.txt"),
        OutputFile("4", "3d", "m.glb"),
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"filename": ""},
        {"filename": 5},
        {"filename": "a.png", "type": "secret"},
        {"filename": "a.png", "type": ["output"]},
        {"filename": "a.png", "subfolder": 5},
        {"name": "a.png"},
    ],
)
def test_what_cannot_be_viewed_is_no_output(odd: dict[str, Any]) -> None:
    assert outputs_of({"1": {"images": [odd]}}) == ()


def test_outputs_and_texts_are_cut_to_what_can_be_handled() -> None:
    many = outputs_of({"1": {"images": [{"filename": "a.png"}] * (MAX_OUTPUTS + 5)}})
    (long,) = outputs_of({"1": {"text": ["x" * (MAX_TEXT + 5)]}})

    assert len(many) == MAX_OUTPUTS
    assert long.text is not None
    assert len(long.text) == MAX_TEXT


@pytest.mark.parametrize("stamp", [math.nan, math.inf, "5", None, [], True])
def test_a_time_that_is_none_is_not_known(stamp: Any) -> None:
    end = ended({}, status(("execution_success", {"timestamp": stamp})))

    assert end.ended_ms is None or stamp is True


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
messages = st.lists(
    st.tuples(
        st.sampled_from(["execution_start", "execution_cached", "execution_error", "x"]),
        st.dictionaries(
            st.sampled_from(["timestamp", "nodes", "node_id", "exception_message"]), json_values
        ),
    ),
    max_size=4,
)


@settings(max_examples=100)
@given(st.dictionaries(st.text(max_size=3), json_values), messages)
def test_reading_any_end_of_a_job_never_raises(outputs: Any, told: Any) -> None:
    assert ended(outputs, status(*told)).outcome in {"completed", "failed", "cancelled"}
