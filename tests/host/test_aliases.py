"""Two ids of one job are kept together, and no stranger's job can slip in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.host.aliases import Aliases, tag, tagged

IDS = st.sampled_from("abcdef")


def test_what_nobody_taught_is_known_by_its_own_id() -> None:
    aliases = Aliases()

    assert (aliases.ours("x"), aliases.theirs("x"), aliases.knows("x")) == ("x", "x", False)


def test_a_pair_is_known_both_ways() -> None:
    aliases = Aliases()
    aliases.learn("ours", "theirs")

    assert (aliases.ours("theirs"), aliases.theirs("ours")) == ("ours", "theirs")
    assert aliases.knows("ours")


def test_a_tag_comes_back_as_it_went() -> None:
    assert tagged(tag("p")) == "p"
    assert tagged({"client_id": "c", **tag("p")}) == "p"


@pytest.mark.parametrize(
    "extra",
    [None, [], "x", 5, {}, {"comfy_mcp_guard": None}, {"comfy_mcp_guard": {"prompt_id": 5}}],
)
def test_what_carries_no_tag_is_nobodys(extra: Any) -> None:
    assert tagged(extra) is None
    assert Aliases().recognise("x", extra) == "x"


def test_a_copied_tag_does_not_take_the_place_of_our_job() -> None:
    aliases = Aliases()
    aliases.learn("ours", "theirs")

    assert aliases.recognise("copy", tag("ours")) == "copy"
    assert aliases.theirs("ours") == "theirs"


def test_the_answer_to_the_submit_wins_over_a_copied_tag_that_came_first() -> None:
    aliases = Aliases()
    aliases.recognise("copy", tag("ours"))
    aliases.learn("ours", "theirs")

    assert aliases.theirs("ours") == "theirs"
    assert aliases.ours("copy") == "copy"


def test_the_oldest_pair_goes_when_there_are_too_many() -> None:
    aliases = Aliases(most=2)
    for ours, theirs in ("ax", "by", "cz"):
        aliases.learn(ours, theirs)

    assert [aliases.theirs(each) for each in "abc"] == ["a", "y", "z"]
    assert aliases.ours("x") == "x"


@given(st.lists(st.tuples(st.booleans(), IDS, st.sampled_from("uvwxyz")), max_size=20))
def test_no_id_is_ever_in_two_pairs(steps: list[tuple[bool, str, str]]) -> None:
    aliases = Aliases(most=4)
    for sure, ours, theirs in steps:
        if sure:
            aliases.learn(ours, theirs)
        else:
            aliases.recognise(theirs, tag(ours))

    pairs = [(ours, aliases.theirs(ours)) for ours in "abcdef" if aliases.knows(ours)]
    assert all(aliases.ours(theirs) == ours for ours, theirs in pairs)
    assert len({theirs for _, theirs in pairs}) == len(pairs) <= 4
