"""A terminal gets colour and bars, everything else plain text, and nobody a control character."""

from __future__ import annotations

import io
import re

from comfy_mcp.cli.screen import Screen, Verdict, clean, one_line


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        """Pretend."""
        return True


def test_control_characters_never_reach_a_terminal() -> None:
    assert clean("a\x1b[2Jb\rc\x07\u202ed\x9b") == r"a\x1b[2Jb\rc\x07\u202ed\x9b"
    assert clean("tab\tand\nline, Ünï©ode") == "tab\tand\nline, Ünï©ode"


def test_what_can_be_read_but_not_seen_is_made_visible() -> None:
    assert clean("pay\u200bload \U000e0041 \ud800") == r"pay\u200bload \U000e0041 \ud800"


def test_nobody_forges_a_row_of_a_table() -> None:
    out = io.StringIO()

    Screen(out).table(("client", "tool"), [("x\n  root", "a\tb\r")])

    assert one_line("a\nb") == r"a\nb"
    assert out.getvalue().splitlines()[1:] == [r"  x\n  root  a\tb\r"]


def test_plain_text_has_no_colour() -> None:
    out = io.StringIO()
    screen = Screen(out)

    screen.title("Part")
    screen.say("line [bold]not markup[/bold]", "red")
    screen.quote("said \x1b[31m", "red")
    screen.check(Verdict.FAIL, "policy", "first\nsecond")

    assert out.getvalue() == (
        "\nPart\nline [bold]not markup[/bold]\n  said \\x1b[31m\n"
        "FAIL  policy      first\n                  second\n"
    )


def test_a_plain_table_is_set_in_columns() -> None:
    out = io.StringIO()

    Screen(out).table(("tool", "is"), [("run_workflow", "allowed"), ("x", "")])

    assert out.getvalue() == "  tool          is\n  run_workflow  allowed\n  x\n"


def test_labels_stand_before_texts() -> None:
    out = io.StringIO()

    Screen(out).fields([("steps", "50"), ("prompt", "a\nb\x1b[2J")], "> ")
    Screen(out).fields([])

    assert out.getvalue() == "  > steps   50\n  > prompt  a\\nb\\x1b[2J\n"


def test_a_terminal_folds_a_text_inside_its_column() -> None:
    out = Terminal()
    screen = Screen(out)

    screen.fields([("prompt", "x " * 500), ("TOUCHES", "[bold]y[/bold]")])

    rows = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in out.getvalue().splitlines()]
    assert rows[0].startswith("  prompt   x x")
    assert {row[:11] for row in rows[1:-1]} == {" " * 11}
    assert rows[-1].split() == ["TOUCHES", "[bold]y[/bold]"]


def test_a_plain_bar_is_a_line_at_every_quarter() -> None:
    out = io.StringIO()

    with Screen(out).bar("job") as advance:
        for percent in (0, 10, 24.9, 25, 60, 61, 100):
            advance(percent, f"at {percent}")

    assert [line.split("at")[1] for line in out.getvalue().splitlines()] == [
        " 0",
        " 25",
        " 60",
        " 100",
    ]


def test_a_terminal_gets_the_same_words_with_colour() -> None:
    out = Terminal()
    screen = Screen(out)

    screen.say("line [bold]not markup[/bold]", "red")
    screen.quote("said\x1b[2J")
    screen.check(Verdict.OK, "state", "fine\x1b[2J")
    screen.table(("tool", "is"), [("run_workflow", "\x1b[2Jallowed")])
    with screen.bar("job") as advance:
        advance(50, "half\x1b[2J")

    shown = out.getvalue()
    assert screen.live
    for words in (
        *("line [bold]not markup[/bold]", r"said\x1b[2J", r"fine\x1b[2J"),
        *(r"\x1b[2Jallowed", "job"),
    ):
        assert words in shown
    assert "\x1b[2J" not in shown
