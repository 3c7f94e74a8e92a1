"""Variants of one workflow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow.axes import MOST_RUNS, variants

NAMES = st.sampled_from(["a", "b", "c", "d"])


def test_the_first_axis_is_the_slowest() -> None:
    assert variants({}, {"a": [1, 2], "b": ["x", "y"]}, 12) == (
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    )


def test_a_list_is_taken_as_it_is() -> None:
    assert variants({}, [{"a": 1}, {}, {"b": 2}], 12) == ({"a": 1}, {}, {"b": 2})


@given(st.dictionaries(NAMES, st.lists(st.integers(), min_size=1, max_size=4), min_size=1))
def test_a_grid_has_every_combination_or_is_refused(axes: dict[str, list[int]]) -> None:
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > 20:
        words = f"makes {count} runs" if count <= MOST_RUNS else "makes more than 100 runs"
        with pytest.raises(WorkflowError, match=words):
            variants({}, axes, 20)
        return
    made = variants({}, axes, 20)
    assert len(made) == count
    assert all(one.keys() == axes.keys() for one in made)


def test_a_grid_that_nobody_could_make_is_refused_without_making_it() -> None:
    huge = {f"p{at}": list(range(1000)) for at in range(32)}

    with pytest.raises(WorkflowError, match=f"at most {MOST_RUNS}"):
        variants({}, huge, 100)


@pytest.mark.parametrize(
    ("params", "axes", "words"),
    [
        ({}, {}, "Say what is to differ"),
        ({}, [], "Say what is to differ"),
        ({}, {"a": []}, "a has no values"),
        ({"a": 1}, {"a": [2]}, "Leave it out of params"),
        ({"a": 1}, [{"b": 2}, {"a": 2}], "Leave it out of params"),
        ({}, [{}] * 13, "13 runs, more than max_runs=12"),
    ],
)
def test_what_makes_no_sense_is_refused(params: dict[str, Any], axes: Any, words: str) -> None:
    with pytest.raises(WorkflowError, match=words):
        variants(params, axes, 12)


def test_a_grid_of_thousands_of_axes_is_refused_in_few_words() -> None:
    with pytest.raises(WorkflowError, match="at most 32 axes, and these are 20000") as caught:
        variants({}, {f"a{at}": [1, 2] for at in range(20_000)}, 12)

    assert len(str(caught.value)) < 200
