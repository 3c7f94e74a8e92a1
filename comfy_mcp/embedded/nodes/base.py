"""What a node is: a value that says what goes in, what comes out, and the function between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_mcp.embedded.paths import Folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL.Image import Image

__all__ = [
    "BOOLEAN",
    "FLOAT",
    "INT",
    "MAX_SIZE",
    "PNG_INFO",
    "STRING",
    "Context",
    "Folders",
    "Input",
    "Interrupted",
    "Node",
    "Result",
    "combo",
    "flag",
    "image",
    "link",
    "number",
    "text",
    "whole",
]

INT, FLOAT, STRING, BOOLEAN = "INT", "FLOAT", "STRING", "BOOLEAN"
MAX_SIZE = 16384
PNG_INFO = (("prompt", "PROMPT"), ("extra_pnginfo", "EXTRA_PNGINFO"))


class Interrupted(Exception):
    """The job was told to stop."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a node may know and do beside its inputs.

    *progress* takes (steps done, steps in all, a preview or None); it and *check* raise
    `Interrupted` when the job was told to stop.
    """

    node_id: str
    prompt: Mapping[str, Any]
    extra_pnginfo: Mapping[str, Any] | None
    folders: Folders
    temp_tag: str
    progress: Callable[[int, int, Image | None], None]
    check: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a node made: one value per output, and what it shows (the outputs of the history)."""

    values: tuple[Any, ...] = ()
    ui: Mapping[str, list[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its *kind* is a type, or "COMBO" with a choice of *options*.

    *modern*: described in the newer form. *remote*: clients get the choices elsewhere, and none
    are told.
    """

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: tuple[str, ...] | Callable[[Folders], list[str]] = ()
    required: bool = True
    modern: bool = False
    remote: bool = False

    def choices(self, folders: Folders) -> list[str]:
        """What may be chosen, now."""
        return self.options(folders) if callable(self.options) else list(self.options)


@dataclass(frozen=True, slots=True)
class Node:
    """A node class as a value.

    *run* gets a `Context` and the inputs by name; with *takes_lists* each input is the whole list.
    *lists* marks outputs that are lists, over which what follows is mapped. *modern*: describes
    itself in the newer form of /object_info. *hidden* inputs are not the client's to give.
    *unchecked* ones may have any value that *check* does not mind: it says which input is wrong
    and why, or None. *fingerprint* is what else decides whether a cached result holds. *shown*
    are the inputs as it describes them, if they become others in a graph. *partner*: it would
    spend credits.
    """

    name: str
    title: str
    category: str
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    run: Callable[[Context, Mapping[str, Any]], Result]
    output_names: tuple[str, ...] = ()
    description: str = ""
    module: str = "nodes"
    output_node: bool = False
    takes_lists: bool = False
    lists: tuple[bool, ...] = ()
    modern: bool = False
    hidden: tuple[tuple[str, str], ...] = ()
    since: str = "0.0.1"
    check: Callable[[Folders, Mapping[str, Any]], tuple[str, str] | None] | None = None
    fingerprint: Callable[[Folders, Mapping[str, Any]], str] | None = None
    unchecked: tuple[str, ...] = ()
    shown: tuple[Input, ...] = ()
    partner: bool = False
    experimental: bool = False

    def input(self, name: str) -> Input | None:
        """The input of that name."""
        return next((each for each in self.inputs if each.name == name), None)

    @property
    def list_outputs(self) -> tuple[bool, ...]:
        """For each output, whether it is a list."""
        return self.lists or (False,) * len(self.outputs)


def link(name: str, kind: str, **config: Any) -> Input:
    """An input that only another node can give."""
    return Input(name, kind, config)


def image(name: str = "image") -> Input:
    """A picture, or a batch of them."""
    return Input(name, "IMAGE")


def whole(
    name: str, default: int | None, least: int, most: int, *, required: bool = True, **config: Any
) -> Input:
    """A whole number; *default* None: the node has none."""
    known = {} if default is None else {"default": default}
    return Input(name, INT, {**known, "min": least, "max": most, **config}, required=required)


def number(name: str, default: float | None, least: float, most: float, **config: Any) -> Input:
    """A number; *default* None: the node has none."""
    known = {} if default is None else {"default": default}
    return Input(name, FLOAT, {**known, "min": least, "max": most, **config})


def text(name: str, default: str | None = None, *, multiline: bool | None = False) -> Input:
    """A piece of text; *multiline* None: the node does not say."""
    config: dict[str, Any] = {} if default is None else {"default": default}
    return Input(name, STRING, config if multiline is None else {**config, "multiline": multiline})


def flag(name: str, *, default: bool | None = None, required: bool = True) -> Input:
    """Yes or no."""
    return Input(name, BOOLEAN, {} if default is None else {"default": default}, required=required)


def combo(
    name: str,
    options: tuple[str, ...] | Callable[[Folders], list[str]],
    **config: Any,
) -> Input:
    """A choice of one."""
    return Input(name, "COMBO", config, options)
