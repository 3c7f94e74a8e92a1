"""Model files that a graph loads, by folder."""

from __future__ import annotations

from collections.abc import Iterator

from comfy_mcp.workflow.evaluate import Evaluation
from comfy_mcp.workflow.facts import ClassInfo, Model, Unknown
from comfy_mcp.workflow.graph import Node, as_link
from comfy_mcp.workflow.leaves import texts
from comfy_mcp.workflow.nodes import is_own
from comfy_mcp.workflow.nodes.flow import Constant, Opaque
from comfy_mcp.workflow.nodes.literals import MAX_NAME, MAX_TEXT
from comfy_mcp.workflow.nodes.models import (
    MODELS,
    PROMPTS,
    SUFFIXES,
    embeddings,
    folder_named,
    no_model,
    tagged,
)

__all__ = ["models"]

Found = tuple[str, Model] | Unknown

_ANY_FOLDER = "?"


def models(done: Evaluation) -> tuple[dict[str, tuple[Model, ...]], list[Unknown]]:
    """What is loaded, by folder (``?``: nobody knows from which), and what cannot be told.

    Each name stands there once, with the first node that has it.
    """
    by_folder: dict[str, dict[str, Model]] = {}
    unknown: list[Unknown] = []
    seen: set[str] = set()
    for node in done.graph.nodes.values():
        for found in _of_node(done, node, seen):
            if isinstance(found, Unknown):
                unknown.append(found)
            else:
                folder, model = found
                by_folder.setdefault(folder, {}).setdefault(model.name, model)
    return {folder: tuple(used.values()) for folder, used in by_folder.items()}, unknown


def _of_node(done: Evaluation, node: Node, seen: set[str]) -> Iterator[Found]:
    if is_own(node.class_type):
        for name, folder in MODELS.get(node.class_type, {}).items():
            yield from _named(done, node, name, folder)
        for name in PROMPTS.get(node.class_type, ()):
            yield from _prompted(done, node, name)
    else:
        yield from _of_stranger(done, node, seen)
    for name, _key, text in texts(node.inputs):
        yield from _embedded(node, name, text)
    # Where texts are pieced together, a name may come about that stands nowhere.
    for flow in done.flows.get(node.id, ()):
        given = flow.value.value if isinstance(flow.value, Constant) else None
        if isinstance(given, str) and len(given) <= MAX_TEXT:
            yield from _embedded(node, "", given)


def _embedded(node: Node, name: str, text: str) -> Iterator[Found]:
    for each in embeddings(text):
        yield "embeddings", _model(node, name, each)


def _model(node: Node, input_name: str, name: str) -> Model:
    return Model(name, node.id, node.class_type, input_name)


def _named(done: Evaluation, node: Node, name: str, folder: str) -> Iterator[Found]:
    """The model that the input *name* names, itself or through a link."""
    if name not in node.inputs:
        return
    view = done.view(node)
    text = view.text(name)
    if isinstance(text, Opaque):
        yield view.unknown(name, text.words())
    elif not no_model(text):
        yield folder, _model(node, name, text)


def _prompted(done: Evaluation, node: Node, name: str) -> Iterator[Found]:
    """A prompt that cannot be foreseen; others have been looked at where they stand."""
    if as_link(node.inputs.get(name)) is None:
        return
    view = done.view(node)
    text = view.text(name)
    if isinstance(text, Opaque):
        yield view.unknown(name, f"{text.words()} and might name an embedding")


def _of_stranger(done: Evaluation, node: Node, seen: set[str]) -> Iterator[Found]:
    if node.class_type not in done.known.classes and node.inputs:
        why = "belongs to a class of which the host has said nothing"
        yield Unknown(node.id, node.class_type, next(iter(node.inputs)), why)
    info = done.known.classes.get(node.class_type) or ClassInfo()
    for name in info.folders:
        yield from _named(done, node, name, info.folders[name])
    for name, key, text in texts(node.inputs):
        if name not in info.folders:
            yield from _guessed(node, name, key, text)
            yield from _tagged(node, name, text)
    view = done.view(node)
    for name in view.links:
        value = None if name in info.folders else view.value(name)
        if isinstance(value, Constant) and isinstance(value.value, str):
            yield from _guessed(node, name, name, value.value)
            if value.value not in seen:
                seen.add(value.value)
                yield from _tagged(node, name, value.value)


def _tagged(node: Node, name: str, text: str) -> Iterator[Found]:
    for each in tagged(text):
        yield "loras", _model(node, name, each)


def _guessed(node: Node, name: str, key: str, text: str) -> Iterator[Found]:
    """What the name of an input, or the end of a text, says."""
    if len(text) > MAX_NAME or no_model(text):
        return
    is_file = text.rstrip().lower().endswith(SUFFIXES)
    folder = folder_named(key) if is_file or "_name" in key else None
    if is_file or folder is not None:
        yield folder or _ANY_FOLDER, _model(node, name, text)
