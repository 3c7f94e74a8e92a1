"""What people read: colour and live bars where somebody looks on, plain text everywhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Screen", "Verdict", "clean", "one_line"]

Advance = Callable[[float, str], None]
"""Moves a bar: percent, and a few words."""

QUARTER = 25.0

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_BREAK = re.compile(r"[\t\n]")


class Verdict(StrEnum):
    """How a check went; the value is what is shown."""

    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


_COLOUR = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAIL: "bold red"}


def clean(text: str) -> str:
    """*text* with escapes in place of what could move a cursor, or be read and not seen.

    Some of it was written by others. Tabs and ends of lines are kept.
    """
    return _CONTROL.sub(_escaped, text)


def one_line(text: str) -> str:
    """As *clean*, with tabs and ends of lines written out, too: nobody forges a row of a table."""
    return _BREAK.sub(_escaped, clean(text))


class Screen:
    """Writes to *out*; *live* where it is a terminal, and then with rich's *console*."""

    def __init__(self, out: TextIO) -> None:
        self.live = out.isatty()
        self._out = out
        self.console = _console(out) if self.live else None

    def say(self, text: str = "", style: str = "") -> None:
        """Write *text*, lines kept as they are; *style* is rich's and needs a terminal."""
        if self.console is None:
            print(clean(text), file=self._out, flush=True)
        else:
            self.console.print(
                clean(text), style=style or None, markup=False, highlight=False, soft_wrap=True
            )

    def title(self, text: str) -> None:
        """Begin a part."""
        self.say()
        self.say(text, "bold")

    def quote(self, text: str, style: str = "") -> None:
        """Set *text* in from the margin; a terminal breaks it between words."""
        if self.console is None:
            self.say(f"  {text}")
            return
        from rich.padding import Padding  # noqa: PLC0415 - only for a terminal
        from rich.text import Text  # noqa: PLC0415 - only for a terminal

        self.console.print(Padding(Text(clean(text), style), (0, 0, 0, 2)))

    def check(self, verdict: Verdict, name: str, text: str) -> None:
        """One line for one check; further lines of *text* are set below it."""
        if self.console is None:
            margin = " " * 18
            self.say(f"{verdict:<5} {name:<11} {text}".replace("\n", f"\n{margin}"))
            return
        from rich.table import Table  # noqa: PLC0415 - only for a terminal
        from rich.text import Text  # noqa: PLC0415 - only for a terminal

        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=5, style=_COLOUR[verdict])
        grid.add_column(width=11, style="bold")
        grid.add_column(overflow="fold")
        grid.add_row(Text(verdict), Text(name), Text(clean(text)))
        self.console.print(grid)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns; the last one may be long."""
        rows = [[one_line(cell) for cell in row] for row in rows]
        if self.console is None:
            for line in _columns([headings, *rows]):
                self.say(f"  {line}")
            return
        from rich import box  # noqa: PLC0415 - only for a terminal
        from rich.table import Table  # noqa: PLC0415 - only for a terminal
        from rich.text import Text  # noqa: PLC0415 - only for a terminal

        made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for number, heading in enumerate(headings):
            made.add_column(heading, no_wrap=number < len(headings) - 1)
        for row in rows:
            made.add_row(*(Text(cell) for cell in row))
        self.console.print(made)

    def fields(self, pairs: Sequence[tuple[str, str]], mark: str = "") -> None:
        """Labels and texts, one below the other; *mark* stands before each.

        A terminal folds long texts inside their column, so that no text reaches the margin, where
        it could be taken for a line of ours.
        """
        pairs = [(one_line(label), one_line(text)) for label, text in pairs]
        if self.console is None:
            for line in _columns(pairs) if pairs else ():
                self.say(f"  {mark}{line}")
            return
        from rich.table import Table  # noqa: PLC0415 - only for a terminal
        from rich.text import Text  # noqa: PLC0415 - only for a terminal

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in pairs:
            style = "bold yellow" if label.isupper() else "bold"
            grid.add_row(Text(f"  {mark}{label}", style), Text(text))
        self.console.print(grid)

    @contextmanager
    def bar(self, what: str) -> Generator[Advance]:
        """A bar that moves; in plain text a line at every quarter."""
        if self.console is None:
            yield self._quarters(what)
            return
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - as above

        columns = (
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=40),
            TextColumn("{task.percentage:>3.0f} % {task.fields[words]}", markup=False),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(what, total=100, words="")

            def advance(percent: float, words: str) -> None:
                progress.update(task, completed=percent, words=clean(words))

            yield advance

    def _quarters(self, what: str) -> Advance:
        told = -1

        def advance(percent: float, words: str) -> None:
            nonlocal told
            if int(percent // QUARTER) > told:
                told = int(percent // QUARTER)
                self.say(f"  {what}: {percent:3.0f} % {words}")

        return advance


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def _console(out: TextIO) -> Console:
    from rich.console import Console  # noqa: PLC0415 - only for a terminal

    return Console(file=out)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()
