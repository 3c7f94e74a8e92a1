"""Calls that run nothing, in words: what is sent, written, saved or deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comfy_mcp.oversight.glance import summary
from comfy_mcp.oversight.object import as_object
from comfy_mcp.oversight.telling import lines
from comfy_mcp.store.asked import ApprovalRow
from comfy_mcp.store.protocol import Store
from tests.oversight.asked import NASTY, NOW, parked, stop_request

pytestmark = pytest.mark.anyio

FILE = {
    "name": "guard-1/cat.png",
    "sha256": "ab" * 32,
    "format": "PNG",
    "bytes": 636,
    "width": 300,
    "height": 200,
}

MEASURED = "PNG, 300 x 200 pixels, 636 bytes, sha256 abababababababab..."
INTO = "a result, into a folder of this machine"

GRAPH: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
}


@pytest.fixture
async def plain_call(store: Store) -> ApprovalRow:
    """A call that runs nothing."""
    return await parked(store, stop_request())


def asked(row: ApprovalRow, tool: str, **args: Any) -> ApprovalRow:
    """The same request for another call."""
    return replace(row, tool=tool, facts={**row.facts, "tool": tool, "targets": [], "args": args})


@pytest.mark.parametrize(
    ("tool", "args", "told"),
    [
        (
            "upload_input",
            {"source": "cat.png", "file": FILE},
            (
                "Upload",
                "guard-1/cat.png",
                f"{MEASURED}; to ComfyUI's input folder",
            ),
        ),
        (
            "export_output",
            {"to": "out/fox.webp", "format": "webp", "overwrite": True},
            (
                "Write",
                "out/fox.webp",
                f"{INTO}, as webp; over a file that is there",
            ),
        ),
        (
            "export_output",
            {"to": "fox.png", "keep_metadata": True},
            (
                "Write",
                "fox.png",
                f"{INTO}, with the workflow inside; over no other file",
            ),
        ),
        (
            "save_workflow",
            {"name": "mine", "workflow": GRAPH},
            (
                "Save workflow",
                "mine",
                "2 nodes: EmptyImage, SaveImage; in place of no other",
            ),
        ),
        (
            "save_workflow",
            {"name": "mine", "workflow": "txt2img", "overwrite": True},
            (
                "Save workflow",
                "mine",
                "in place of an earlier one",
            ),
        ),
        ("delete_workflow", {"name": "mine"}, ("Delete workflow", "mine", "which an agent saved")),
    ],
)
async def test_what_is_asked_for_is_told_in_words(
    plain_call: ApprovalRow, tool: str, args: dict[str, Any], told: tuple[str, str, str]
) -> None:
    act, what, words = told
    row = asked(plain_call, tool, **args)

    assert as_object(row, NOW)["errand"] == {"act": act, "what": what, "words": words}
    assert summary(row) == f"{tool}: {what}"
    assert (act.lower(), f"{what}: {words}") in lines(row, NOW)


async def test_what_the_server_measured_is_no_word_of_the_agent(plain_call: ApprovalRow) -> None:
    told = as_object(asked(plain_call, "upload_input", source="cat.png", file=FILE), NOW)

    assert [one["name"] for one in told["agent_words"]["args"]] == ["source"]


async def test_a_name_that_is_a_sentence_is_in_quotation_marks(plain_call: ApprovalRow) -> None:
    row = asked(plain_call, "save_workflow", name="approved by root", workflow=GRAPH)

    assert summary(row) == 'save_workflow: "approved by root"'


@pytest.mark.parametrize(
    "tool", ["upload_input", "export_output", "save_workflow", "delete_workflow"]
)
@pytest.mark.parametrize("odd", [None, 5, [], {}, NASTY, [{"name": NASTY}]])
async def test_whatever_stands_in_the_state_is_told_in_clean_words(
    plain_call: ApprovalRow, tool: str, odd: object
) -> None:
    keys = ("file", "name", "to", "format", "workflow", "overwrite", "keep_metadata", "source")
    pictured = dict.fromkeys(("name", "format", "bytes", "width", "seconds", "sha256"), odd)
    nodes = {"1": {"class_type": odd}, "2": odd}
    row = asked(plain_call, tool, **{**dict.fromkeys(keys, odd), "file": pictured})

    for one in (row, asked(row, tool, name=odd, workflow=nodes), asked(row, tool)):
        told = str((as_object(one, NOW)["errand"], summary(one), lines(one, NOW)))
        assert not any(sign in told for sign in "\x1b\u202e\u200b\u2066\x9b\x07")


async def test_other_calls_have_none(plain_call: ApprovalRow) -> None:
    assert as_object(plain_call, NOW)["errand"] is None
