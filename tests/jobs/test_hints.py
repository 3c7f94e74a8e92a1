"""A failed job says where and why, with which inputs, and what to try."""

from __future__ import annotations

import json

import pytest

from comfy_mcp.host import Ended, NodeFailure
from comfy_mcp.jobs import JobFailure
from comfy_mcp.jobs.hints import told
from comfy_mcp.jobs.record import failure_of, result_of


def test_a_failure_is_told_with_its_inputs_and_with_advice() -> None:
    failure = NodeFailure("re.error", "missing )", "4", "RegexReplace", {"regex_pattern": "("})

    shown = told(failure)

    assert (shown.type, shown.message, shown.node_id) == ("re.error", "missing )", "4")
    assert shown.inputs == {"regex_pattern": "("}
    assert shown.hint is not None
    assert "regular expression" in shown.hint


def test_what_is_not_known_is_left_out() -> None:
    shown = told(NodeFailure("ValueError", "odd"))

    assert shown == JobFailure(type="ValueError", message="odd")
    assert (shown.inputs, shown.hint) == (None, None)


def test_what_an_older_server_wrote_down_is_cleaned_when_it_is_shown() -> None:
    shown = told(
        NodeFailure("Exception", "cannot open /srv/models/x.pt, token=abc123" + "x" * 2_000)
    )

    assert shown.message.startswith("cannot open …/x.pt, token=…")
    assert len(shown.message) <= 800


def test_inputs_outlive_the_server_in_the_journal() -> None:
    failure = NodeFailure("re.error", "missing )", "4", "RegexReplace", {"regex_pattern": "("})

    kept = json.loads(json.dumps(result_of(Ended("failed", failure=failure))))

    assert failure_of(kept) == failure


@pytest.mark.parametrize("more", [{}, {"from_a_newer_server": 1}])
def test_rows_of_older_and_newer_servers_are_read(more: dict[str, int]) -> None:
    row = {"type": "E", "message": "m", "node_id": "4", "node_type": "N", **more}

    assert failure_of({"failure": row}) == NodeFailure("E", "m", "4", "N")
