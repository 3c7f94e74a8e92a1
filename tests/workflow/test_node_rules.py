"""Promise: the tables of node classes agree with each other, and arithmetic is Python's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_mcp.workflow.nodes import (
    OWN_RULES,
    POPULAR_RULES,
    batching,
    is_own,
    loading,
    passing,
    resizing,
    sampling,
    texts,
    values,
    videos,
)
from comfy_mcp.workflow.nodes.files import FILES, FROM_OUTPUTS, SAVERS
from comfy_mcp.workflow.nodes.formula import compute
from comfy_mcp.workflow.nodes.literals import as_real, as_text, as_whole
from comfy_mcp.workflow.nodes.models import MODELS, PROMPTS
from comfy_mcp.workflow.nodes.names import PLAIN
from comfy_mcp.workflow.nodes.sampling import SAMPLINGS, model_factor

PARTS = (passing, resizing, batching, videos, loading, sampling, values, texts)


def test_each_class_stands_in_one_table() -> None:
    assert sum(len(part.RULES) for part in PARTS) == len(OWN_RULES)
    assert not PLAIN & OWN_RULES.keys()
    assert not any(is_own(name) for name in POPULAR_RULES)


@pytest.mark.parametrize("table", [MODELS, PROMPTS, FILES, FROM_OUTPUTS, SAVERS, SAMPLINGS])
def test_other_tables_name_only_comfyuis_own_classes(table: dict[str, object]) -> None:
    assert [name for name in table if not is_own(name)] == []


@pytest.mark.parametrize(
    "name", ["KSampler", "Video Slice", "Epsilon Scaling", "Load3DAnimation", "SaveWEBM"]
)
def test_comfyuis_own_classes_are_known(name: str) -> None:
    assert is_own(name)


@pytest.mark.parametrize("name", ["KlingTextToVideoNode", "RecraftControls", "ksampler", "", "?"])
def test_partner_nodes_and_others_are_not(name: str) -> None:
    assert not is_own(name)


@given(st.integers(-99, 99), st.integers(1, 99), st.sampled_from(["+", "-", "*", "//", "%", ">"]))
def test_arithmetic_comes_to_what_python_says(a: int, b: int, sign: str) -> None:
    expected = {
        "+": a + b,
        "-": a - b,
        "*": a * b,
        "//": a // b,
        "%": a % b,
        ">": a > b,
    }[sign]

    assert compute(f"(a {sign} b)", {"a": a, "b": b}) == expected
    assert compute(f"max(a {sign} b, 7) if a != 0 else 7", {"a": a, "b": b}) == (
        max(expected, 7) if a else 7
    )


@given(st.text(max_size=600))
def test_any_text_is_arithmetic_or_nothing(text: str) -> None:
    assert isinstance(compute(text, {"a": 1}), int | float | None)


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())
)
def test_any_value_is_read_or_refused(value: object) -> None:
    assert isinstance(as_whole(value), int | None)
    assert isinstance(as_real(value), float | None)
    assert isinstance(as_text(value), str | None)


@given(st.integers(-(10**30), 10**30))
def test_a_text_of_a_number_is_the_number(number: int) -> None:
    assert as_whole(str(number)) == as_whole(f" {number} ") == number


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("4x-UltraSharp.pth", 4),
        ("BSRGANx2.pth", 2),
        ("16xPSNR.pth", 16),
        ("sdxl_512x512.pth", None),
        ("sharp.pth", None),
        ("x1_x8.pth", 8),
    ],
)
def test_a_models_name_tells_its_factor(name: str, factor: float | None) -> None:
    assert model_factor(name) == factor
