"""Whether a run could start at all: nobody is asked about what ComfyUI would refuse anyway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from comfy_mcp.errors import WorkflowError
from comfy_mcp.workflow import Facts, Model, listed, nearest, shown
from comfy_mcp.workflow.input_files import ReadFile

if TYPE_CHECKING:
    from comfy_mcp.host.fingerprints import Fingerprint

__all__ = ["must_be_plain", "must_be_there", "named"]

MOST_TOLD = 5
HEADING = "Nobody was asked, because ComfyUI would refuse this run."


def named(facts: Facts) -> frozenset[tuple[str, str]]:
    """Node class and input of every model that is loaded."""
    return frozenset((one.class_type, one.input_name) for one in _models(facts))


def must_be_plain(files: Sequence[ReadFile], prints: Mapping[str, Fingerprint]) -> None:
    """Refuse names that a loader understands and that nobody can look behind: ``./x.png``.

    A yes could not be bound to what is in such a file, though it is an ordinary one.

    Raises:
        WorkflowError: a file is named like that.
    """
    for file in files:
        found = prints.get(file.name)
        if file.surely and found is not None and found.unclear:
            raise WorkflowError(
                f'Nobody was asked: node {file.node_id} reads "{shown(file.name)}", and a'
                " person's yes is bound to what is in a file. Write its name plainly, as"
                " folder/name.png."
            )


def must_be_there(
    facts: Facts,
    choices: Mapping[tuple[str, str], Sequence[str]],
    files: Sequence[ReadFile],
    prints: Mapping[str, Fingerprint],
) -> None:
    """Refuse what names a model or a file that ComfyUI does not have, as far as it has said so.

    *choices* are what inputs of `named` take; *prints* what is in files that are read.

    Raises:
        WorkflowError: something is missing.
    """
    lacking = [*_no_models(facts, choices), *_no_files(files, prints)]
    if lacking:
        raise WorkflowError(" ".join([HEADING, *lacking[:MOST_TOLD]]))


def _models(facts: Facts) -> Iterator[Model]:
    for used in facts.models.values():
        yield from used


def _no_models(facts: Facts, choices: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[str]:
    for model in _models(facts):
        known = choices.get((model.class_type, model.input_name))
        # An empty list says only that ComfyUI has not looked into its folders.
        if known and model.name not in known:
            close = nearest(model.name, tuple(known))
            hint = f'Did you mean "{close}"?' if close else f"There are: {listed(tuple(known))}."
            yield (
                f"Node {model.node_id} ({model.class_type}) wants the model"
                f' "{shown(model.name)}", which it does not have. {hint}'
            )


def _no_files(files: Sequence[ReadFile], prints: Mapping[str, Fingerprint]) -> Iterator[str]:
    for file in files:
        found = prints.get(file.name)
        if file.surely and found is not None and found.missing:
            yield f'Node {file.node_id} reads "{shown(file.name)}", which it does not have.'
