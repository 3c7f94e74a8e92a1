"""Long lists in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.knowledge.options import loaders, matching, ranked
from comfy_mcp.knowledge.paging import ROOM, page, read_cursor
from comfy_mcp.workflow.schema import read_schemas
from tests.knowledge.samples import node


@given(st.lists(st.integers(0, ROOM * 2), max_size=60), st.integers(1, 20))
def test_pages_together_are_the_whole_and_each_is_bounded(sizes: list[int], limit: int) -> None:
    shown: list[int] = []
    cursor: str | None = "0"
    while cursor is not None:
        items, cursor = page(sizes, read_cursor(cursor), limit, lambda size: size)
        shown += items
        assert len(items) <= limit
        assert len(items) <= 1 or sum(items) <= ROOM

    assert shown == sizes


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣", "99999999", "1 "])
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(WorkflowError, match="no next_cursor"):
        read_cursor(cursor)


def test_a_cursor_past_the_end_shows_nothing_more() -> None:
    assert page([1, 2], 9, 5, lambda _: 1) == ([], None)


def test_files_that_are_called_so_come_before_folders_that_are() -> None:
    files = ["flux/vae.sft", "sdxl/my-flux-dev.sft", "Flux-dev.sft", "other.sft"]

    assert ranked(files, "flux") == ["Flux-dev.sft", "sdxl/my-flux-dev.sft", "flux/vae.sft"]


def test_every_word_has_to_be_there() -> None:
    assert matching(["a-b", "a", "b", 3], "B a") == ["a-b"]
    assert matching(["a", "b"], "  ") == ["a", "b"]


def test_the_inputs_that_choose_from_a_folder_are_found() -> None:
    nodes = read_schemas(
        {
            "Load": node({"name": [["b", "a"], {}], "how": [["a", "c"], {}]}),
            "LoadNew": node({"name": ["COMBO", {"options": ["a", "b"]}]}),
            "More": node({"name": [["a", "b", "c"], {}], "odd": [["a", 1], {}]}),
        }
    )

    assert loaders(nodes, ["a", "b"]) == ["Load.name", "LoadNew.name"]
    assert loaders(nodes, []) == []
