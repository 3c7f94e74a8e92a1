"""How often people were asked, in numbers."""

from __future__ import annotations

from comfy_mcp.oversight.figures import HEADINGS, as_object, rows
from comfy_mcp.store.asked import Figure

ONE = Figure("bob", "run_workflow", 9, 4, 2, 1, 1, 1, 3, 65_000)
OTHER = Figure("eve", "cancel_job", 1, 0, 0, 0, 0, 1, 0, None)


def test_each_caller_and_tool_is_a_row_and_the_sum_another() -> None:
    made = [dict(zip(HEADINGS, row, strict=True)) for row in rows([ONE, OTHER])]

    assert [(row["caller"], row["asked"], row["approved"], row["spent"]) for row in made] == [
        *(("bob", "9", "4", "3"), ("eve", "1", "0", "0"), ("all", "10", "4", "3")),
    ]
    assert [row["median answer"] for row in made] == ["1 min 5 s", "", ""]


def test_one_row_needs_no_sum() -> None:
    assert len(rows([ONE])) == 1


def test_programs_read_the_same() -> None:
    made = as_object([ONE, OTHER], 5)

    assert made["since_ms"] == 5
    assert made["all"]["asked"] == 10
    assert made["figures"][0] == {
        "grant": "bob",
        "tool": "run_workflow",
        "asked": 9,
        "approved": 4,
        "spent": 3,
        "denied": 2,
        "expired": 1,
        "cancelled": 1,
        "pending": 1,
        "median_s": 65.0,
    }
