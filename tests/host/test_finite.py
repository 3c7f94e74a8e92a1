"""Numbers from anybody are counted with, or left alone; none breaks anything."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.host.aliases import Aliases
from comfy_mcp.host.finite import finite, whole
from comfy_mcp.host.queue_view import of_queue
from comfy_mcp.host.sighting import ended
from comfy_mcp.host.wire import HistoryStatus, Queue

HUGE = 10**400


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300))
def test_a_number_that_can_be_counted_with_is_kept(value: float) -> None:
    assert finite(value) == float(value)
    assert whole(value) == int(float(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, HUGE, -HUGE, None, "7", [1], {}])
def test_what_cannot_be_counted_with_is_none(value: object) -> None:
    assert finite(value) is None
    assert whole(value) is None


def test_a_neighbours_impossible_times_and_numbers_spoil_no_reading_of_the_queue() -> None:
    item = [HUGE, "odd", {}, {"create_time": HUGE}, []]
    text = json.dumps({"queue_running": [], "queue_pending": [item, [1, "ours", {}, {}, []]]})

    view = of_queue(Queue.model_validate_json(text), Aliases())

    assert [job.prompt_id for job in view.pending] == ["ours", "odd"]
    assert view.pending[1].created_ms is None


def test_an_impossible_time_of_a_message_is_not_known() -> None:
    status = HistoryStatus(
        status_str="success", messages=[("execution_start", {"timestamp": HUGE})]
    )

    assert ended({}, status).started_ms is None
