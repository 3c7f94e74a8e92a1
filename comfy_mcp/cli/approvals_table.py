"""Requests in a list: on a terminal two lines each, since what is asked needs the whole width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from comfy_mcp.cli.screen import Screen, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["drawn", "table"]

MARGIN = 4
"""Columns by which what is asked is set in: no word of an agent stands where our lines begin."""


def table(screen: Screen, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """*rows* under *headings*; elsewhere than on a terminal one line each."""
    if screen.console is None:
        screen.table(headings, rows)
        return
    for part in drawn(headings[:-1], rows):
        screen.console.print(part)


def drawn(
    headings: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> Iterator[RenderableType]:
    """*headings* over the cells of each row but the last, which stands below them.

    *styles* are rich's, one for each row, or none.
    """
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only for a terminal
    from rich.padding import Padding  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    clean = [[one_line(cell) for cell in row] for row in rows]
    heads = [[*headings], *(row[:-1] for row in clean)]
    widths = [max(cell_len(row[number]) for row in heads) for number in range(len(headings))]

    def line(cells: Sequence[str], style: str) -> Text:
        sized = (set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True))
        return Text("  ".join(sized).rstrip(), style, no_wrap=True, overflow="ellipsis")

    yield line(heads[0], "bold underline")
    for number, row in enumerate(clean):
        style = styles[number] if styles else ""
        yield line(row[:-1], style)
        yield Padding(Text(row[-1], style, overflow="fold"), (0, 0, 0, MARGIN))
