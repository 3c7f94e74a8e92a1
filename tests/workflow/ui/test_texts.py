"""Texts that the editor changes before it sends them."""

from __future__ import annotations

import pytest

from comfy_mcp.workflow.ui.texts import chosen, replaced
from tests.workflow.ui.became import inputs_of, notes_of
from tests.workflow.ui.paper import Paper


@pytest.mark.parametrize(
    ("text", "expected", "several"),
    [
        ("a {red|green} fox", "a red fox", True),
        ("{a|{b|c}} {{d|e} f|g}", "a d f", True),
        ("{alone}", "alone", False),
        (r"\{not \| chosen\} \\", r"{not | chosen} \\", False),
        ("a | b } c", "a | b } c", False),
        ("open {a|b", "open a", True),
        ("a // rest\nb /* in\nbetween */c", "a \nb c", False),
        ("a /* open // gone\nb", "a /* open \nb", False),
        ("1/2 and /", "1/2 and /", False),
        ("ends in \\", "ends in \\", False),
        ("", "", False),
    ],
)
def test_a_prompt_is_sent_without_comments_and_with_the_first_of_its_choices(
    text: str, expected: str, several: bool
) -> None:
    assert chosen(text) == (expected, several)


def test_a_choice_that_the_editor_would_draw_is_told() -> None:
    paper = Paper()
    paper.node("CLIPTextEncode", "a {red|green} fox")
    file = paper.json()

    assert inputs_of(file)["1"]["text"] == "a red fox"
    assert notes_of(file).startswith("Of each {this|that} in a prompt the first is taken: text of")


def test_only_texts_that_may_have_choices_are_changed() -> None:
    paper = Paper()
    paper.node("PrimitiveString", "a {red|green} // fox")

    assert inputs_of(paper.json())["1"]["value"] == "a {red|green} // fox"


VALUES: dict[tuple[str, str], object] = {
    ("KSampler", "seed"): 7,
    ("KSampler", "cfg"): 8.0,
    ("Load", "name"): "a/b:c",
    ("Switch", "on"): True,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x_%KSampler.seed%", "x_7"),
        ("%KSampler.cfg%", "8"),
        ("%Load.name%", "a_b_c"),
        ("%Switch.on%", "true"),
        ("%nobody.seed% %width% 100%", "%nobody.seed% %width% 100%"),
        ("%date:yyyy-MM-dd%/%date:hhmmss%", "%year%-%month%-%day%/%hour%%minute%%second%"),
        ("%a.b.c%", "%a.b.c%"),
    ],
)
def test_a_file_name_mentions_values_of_widgets_and_the_date(text: str, expected: str) -> None:
    assert replaced(text, lambda node, widget: VALUES.get((node, widget))) == expected


def test_a_node_is_mentioned_by_its_class_or_its_title() -> None:
    paper = Paper()
    paper.node("PrimitiveInt", 5, "fixed", title="Mine")
    paper.node("SaveText", "%Mine.value% %PrimitiveInt.value% %Mine.none%", "md")

    assert inputs_of(paper.json())["2"]["filename_prefix"] == "5 5 %Mine.none%"
