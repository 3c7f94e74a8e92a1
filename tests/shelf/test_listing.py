"""Promise: the workflow that is meant comes first, and pages neither repeat nor pass one over."""

from __future__ import annotations

import pytest

from comfy_mcp.errors import WorkflowError
from comfy_mcp.library import Source
from comfy_mcp.shelf import Entry, page_of, ranked

MANY = [
    Entry(f"template/t{number:03}", Source.TEMPLATE, f"Template {number}", "d" * 400)
    for number in range(644)
]


def names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries]


def test_without_a_query_the_operators_come_first_then_what_was_saved() -> None:
    mixed = [
        Entry("template/a", Source.TEMPLATE),
        Entry("host/a", Source.HOST),
        Entry("saved/a", Source.SAVED),
        Entry("b", Source.LIBRARY),
        Entry("a", Source.LIBRARY),
    ]

    assert names(ranked(mixed, "")) == ["a", "b", "saved/a", "host/a", "template/a"]
    assert names(ranked(mixed, " ,;!")) == names(ranked(mixed, ""))


def test_a_source_may_have_an_order_of_its_own() -> None:
    popular = [Entry(f"template/{n}", Source.TEMPLATE, place=place) for place, n in enumerate("ba")]

    assert names(ranked(popular, "")) == ["template/b", "template/a"]


def test_a_name_counts_more_than_a_title_a_title_more_than_tags_and_these_than_the_rest() -> None:
    found = ranked(
        [
            Entry("d", Source.LIBRARY, description="upscale it"),
            Entry("t", Source.LIBRARY, tags=("upscale",)),
            Entry("i", Source.LIBRARY, title="Upscale"),
            Entry("template/upscale", Source.TEMPLATE),
            Entry("none", Source.LIBRARY, title="Other"),
        ],
        "UPSCALE",
    )

    assert names(found) == ["template/upscale", "i", "t", "d"]


def test_a_whole_word_counts_more_than_a_part_of_one() -> None:
    found = ranked(
        [Entry("a", Source.LIBRARY, title="Imagery"), Entry("b", Source.LIBRARY, title="Image")],
        "image",
    )

    assert names(found) == ["b", "a"]


def test_every_word_has_to_be_there_somewhere() -> None:
    both = Entry("flux-video", Source.LIBRARY)

    assert ranked([both, Entry("flux", Source.LIBRARY)], "video flux") == [both]
    assert ranked([both], "flux audio") == []


def test_a_query_of_a_thousand_words_is_no_burden() -> None:
    assert ranked(MANY, "template " * 1000)[0].name == "template/t000"


def test_pages_show_each_workflow_once_and_stay_short() -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = page_of(MANY, limit=50, cursor=cursor)
        assert len(page.model_dump_json(exclude_none=True)) < 20_000
        assert page.total == len(MANY)
        seen += [row.name for row in page.workflows]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == names(MANY)


def test_a_page_of_long_rows_has_fewer_of_them() -> None:
    names_of = tuple(f"{number:02}{'p' * 60}" for number in range(15))
    wide = [
        Entry(f"w{number:02}", Source.LIBRARY, parameters=names_of, place=number)
        for number in range(50)
    ]

    page = page_of(wide, limit=50, cursor=None)

    assert 5 < len(page.workflows) < 50
    assert page.next_cursor is not None
    assert len(page.model_dump_json(exclude_none=True)) < 20_000


def test_a_row_is_one_short_line() -> None:
    entry = Entry(
        "saved/x",
        Source.SAVED,
        title="X",
        description="first\n\n  second " + "long " * 100,
        parameters=tuple(f"p{number}" for number in range(100)),
    )

    [row] = page_of([entry], limit=1, cursor=None).workflows

    assert row.description is not None
    assert row.description.startswith("first second long")
    assert len(row.description) <= 160
    assert row.parameters is not None
    assert row.parameters[-1] == "..."
    assert len(row.model_dump_json()) < 500


def test_a_page_goes_on_where_it_ended_though_the_list_has_grown() -> None:
    first = page_of(MANY, limit=2, cursor=None)
    grown = [Entry("new", Source.LIBRARY), *MANY]

    second = page_of(grown, limit=1, cursor=first.next_cursor)

    assert [row.name for row in second.workflows] == ["template/t002"]


@pytest.mark.parametrize("cursor", ["", "x", "\x00", "é", "f" * 16, "f" * 60])
def test_a_cursor_that_was_not_made_here_is_refused(cursor: str) -> None:
    with pytest.raises(WorkflowError, match="ask without it"):
        page_of(MANY, limit=2, cursor=cursor)
