"""One node's work: its inputs gathered, its function called in a thread, its results merged."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.cache import Cached, is_link
from comfy_mcp.embedded.nodes.base import Context, Interrupted, Node, Result
from comfy_mcp.embedded.refusals import full_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from PIL.Image import Image

    from comfy_mcp.embedded.faults import Faults

__all__ = ["LINGER_SECONDS", "Call", "Failed", "Signal", "failure", "gathered", "meta_of"]

LINGER_SECONDS = 0.02
"""How often a node that is kept busy looks at the weather."""


@dataclass(slots=True)
class Signal:
    """What reaches into a running node from outside: the interrupt flag, and the host's end."""

    interrupted: bool = False
    abandoned: threading.Event = field(default_factory=threading.Event)


class Failed(Exception):
    """A node raised; carries what clients are told about it."""

    def __init__(self, node_id: str, told: dict[str, Any]) -> None:
        super().__init__(told["exception_message"])
        self.node_id = node_id
        self.told = told


@dataclass(slots=True)
class Call:
    """One node at work in a thread.

    *report* takes each progress step (from the thread) and tells whether a preview is wanted.
    """

    node: Node
    context: Callable[[Callable[[int, int, Image | None], None], Callable[[], None]], Context]
    inputs: dict[str, list[Any]]
    signal: Signal
    faults: Callable[[], Faults]
    report: Callable[[int, int, Image | None], None]
    started: float = field(default_factory=time.monotonic)

    def work(self) -> Cached:
        """Run the node for each element; `Interrupted` before any of them when told to stop."""
        context = self.context(self._progress, self._check)
        for name in self.inputs:
            if self.node.input(name) is None:
                told = f"{self.node.name}.run() got an unexpected keyword argument '{name}'"
                raise TypeError(told)
        results: list[Result] = []
        for values in _elements(self.node, self.inputs):
            self._check()
            results.append(self.node.run(context, values))
        self._linger()
        return _merged(self.node, results)

    def _progress(self, done: int, total: int, preview: Image | None) -> None:
        self._check()
        self.signal.abandoned.wait(self.faults().step_ms / 1000)
        self._check()
        self.report(done, total, preview)

    def _check(self) -> None:
        """An interrupt takes effect here, but not while the node is deaf."""
        self._stop_if(self.signal.interrupted and self._ran_ms() >= self.faults().deaf_ms)

    def before(self) -> None:
        """The check that even a deaf node cannot escape: before it begins."""
        self._stop_if(self.signal.interrupted)

    def _stop_if(self, told: bool) -> None:
        if told or self.signal.abandoned.is_set():
            self.signal.interrupted = False
            raise Interrupted

    def _linger(self) -> None:
        hears = self.faults().node_ms
        # The weather is looked at again and again: whoever clears it lets the node end.
        while (left_ms := self._least_ms() - self._ran_ms()) > 0:
            if self.signal.abandoned.wait(min(left_ms / 1000, LINGER_SECONDS)):
                break
        if hears:
            self._check()

    def _least_ms(self) -> int:
        faults = self.faults()
        return max(faults.node_ms, faults.deaf_ms)

    def _ran_ms(self) -> int:
        return int((time.monotonic() - self.started) * 1000)


def gathered(
    inputs: Mapping[str, Any], node: Node, result_of: Callable[[str], Cached | None]
) -> dict[str, list[Any]]:
    """The values of each link, and of each literal that the node knows."""
    found: dict[str, list[Any]] = {}
    for name, value in inputs.items():
        if is_link(value):
            source = result_of(value[0])
            found[name] = [None] if source is None else source.values[int(value[1])]
        elif node.input(name) is not None:
            found[name] = [value]
    return found


def failure(node_id: str, exception: Exception, inputs: Mapping[str, list[Any]]) -> Failed:
    """What clients are told of a node that raised."""
    shown = {name: [_plain(each) for each in values] for name, values in inputs.items()}
    told = {
        "exception_message": f"{exception}\n",
        "exception_type": full_name(exception),
        "traceback": traceback.format_tb(exception.__traceback__),
        "current_inputs": shown,
    }
    return Failed(node_id, told)


def meta_of(node_id: str) -> dict[str, Any]:
    """The meta entry of a node in the history."""
    return {
        "node_id": node_id,
        "display_node": node_id,
        "parent_node": None,
        "real_node_id": node_id,
    }


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (int, float, str)) else str(value)


def _elements(node: Node, inputs: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """The calls to make: one with the lists, or one per element; short lists repeat their last."""
    if node.takes_lists:
        yield dict(inputs)
        return
    length = max((len(values) for values in inputs.values()), default=1)
    for index in range(length):
        yield {
            name: values[min(index, len(values) - 1)] for name, values in inputs.items() if values
        }


def _merged(node: Node, results: list[Result]) -> Cached:
    values: list[list[Any]] = []
    for slot, is_list in enumerate(node.list_outputs):
        found = [result.values[slot] for result in results]
        values.append([each for many in found for each in many] if is_list else found)
    shown: dict[str, list[Any]] = {}
    for result in results:
        for kind, entries in (result.ui or {}).items():
            shown.setdefault(kind, []).extend(entries)
    return Cached(tuple(values), shown or None)
