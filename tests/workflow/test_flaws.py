"""Promise: flaws become one message, short, safe to print, with the first one's place."""

from __future__ import annotations

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.flaws import MOST_FLAWS, Flaw, listed, nearest, refuse, shown


def test_no_flaw_is_no_error() -> None:
    refuse([])


def test_one_flaw_is_told_as_it_is() -> None:
    with pytest.raises(WorkflowError) as caught:
        refuse([Flaw("Node 1: no.", "1", "width")])

    assert str(caught.value) == "Node 1: no."
    assert caught.value.details() == {"node_id": "1", "input": "width"}


def test_several_flaws_are_told_at_once() -> None:
    with pytest.raises(WorkflowError) as caught:
        refuse([Flaw("first", "1"), Flaw("second", "2")], "It cannot be")

    assert str(caught.value) == "It cannot be, for these reasons:\n  - first\n  - second"
    assert caught.value.node_id == "1"


def test_no_more_than_five_flaws_are_told() -> None:
    with pytest.raises(WorkflowError) as caught:
        refuse(Flaw(f"flaw {n}") for n in range(1000))

    lines = str(caught.value).splitlines()
    assert lines[-2:] == [f"  - flaw {MOST_FLAWS - 1}", "  - and more."]
    assert len(lines) == MOST_FLAWS + 2


def test_five_flaws_are_all_and_not_more() -> None:
    with pytest.raises(WorkflowError) as caught:
        refuse(Flaw(f"flaw {n}") for n in range(MOST_FLAWS))

    assert "more" not in str(caught.value)


def test_foreign_text_is_cut_and_cannot_steer_a_terminal() -> None:
    assert shown("a" * 100) == "a" * 57 + "..."
    assert shown("a\x1b[31m\n\u202e") == "a\\x1b[31m\\n\\u202e"
    assert shown("\ud800") == "\\ud800"
    assert shown("Größe") == "Größe"


def test_long_lists_of_names_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(n) for n in range(22)]).endswith("18, 19 and 2 more")


def test_the_nearest_name_is_found_or_none() -> None:
    assert nearest("widht", ["height", "width"]) == "width"
    assert nearest("zzz", ["height", "width"]) is None
