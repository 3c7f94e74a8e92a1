"""A large JSON object, member after member."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.host.piecewise import members

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 1, "\t"]))
def test_it_reads_what_the_whole_reads(told: dict[str, Any], indent: Any) -> None:
    text = json.dumps(told, indent=indent)

    assert dict(members(text)) == json.loads(text)


@given(st.text(alphabet='{}[]:,"a1 \n\\', max_size=12))
def test_what_the_whole_refuses_is_refused(text: str) -> None:
    try:
        told = json.loads(text)
    except ValueError:
        told = None

    if isinstance(told, dict):
        assert dict(members(text)) == told
    else:
        with pytest.raises(ValueError, match=r"."):
            list(members(text))


@pytest.mark.parametrize(
    "text", ["", " ", "[]", "null", '{"a"}', '{"a":1,}', '{"a":1} x', '{"a":1', "{1:2}", '{,"a":1}']
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(members(text))


def test_members_before_a_fault_are_given() -> None:
    found = members('{"a": 1, "b": ')

    assert next(found) == ("a", 1)
    with pytest.raises(ValueError, match="Expecting value"):
        next(found)
