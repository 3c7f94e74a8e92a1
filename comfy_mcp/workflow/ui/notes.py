"""What an agent should know of a conversion: where the editor would have done something more."""

from __future__ import annotations

from collections.abc import Iterable

from comfy_mcp.workflow.flaws import shown
from comfy_mcp.workflow.ui.cards import Card
from comfy_mcp.workflow.ui.widgets import FIXED, Widget, kind_of_widget

__all__ = ["Notes"]

_MOST = 8
_LIVE = frozenset({"LOAD_3D", "WEBCAM", "AUDIO_RECORD"})
"""Widgets whose value only a browser can make: a view of a scene, a photo, a recording."""

_SEEDS = "Nothing is drawn: {} as saved; the editor would change it after each run."
_CHOICES = "Of each {{this|that}} in a prompt the first is taken: {}; the editor would draw one."
_LIVES = "Only the editor can make the value of {}: the node may fail."


class Notes:
    """Collects them while nodes are written."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {_SEEDS: [], _CHOICES: [], _LIVES: []}

    def widgets(self, node_id: str, card: Card, held: Iterable[Widget]) -> None:
        """Look at the widgets of a node that give it their own value."""
        for widget in held:
            if widget.drawn not in (None, FIXED):
                self._add(_SEEDS, node_id, widget.name)
            if kind_of_widget(widget.spec) in _LIVE and not card.schema.output_node:
                self._add(_LIVES, node_id, widget.name)

    def choice(self, node_id: str, name: str) -> None:
        """A prompt left a choice."""
        self._add(_CHOICES, node_id, name)

    def told(self) -> tuple[str, ...]:
        """One sentence for each kind that there was."""
        return tuple(text.format(_listed(where)) for text, where in self._found.items() if where)

    def _add(self, text: str, node_id: str, name: str) -> None:
        self._found[text].append(f"{shown(name)} of node {shown(node_id)}")


def _listed(where: list[str]) -> str:
    rest = len(where) - _MOST
    return ", ".join(where[:_MOST]) + (f" and {rest} more" if rest > 0 else "")
