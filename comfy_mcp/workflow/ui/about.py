"""What a file of the editor says about itself, without a host: for lists of workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from comfy_mcp.workflow.ui.reading import definitions, is_list, is_object

__all__ = ["About", "ModelFile", "about"]

_MOST_CHARS = 300
_MOST_MODELS = 100


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that a node says it needs: its file, the folder for it, and where it can be had."""

    name: str
    directory: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """*title* and *description* are empty where the file has none; *parts*: names of subgraphs."""

    title: str
    description: str
    nodes: int
    parts: tuple[str, ...]
    models: tuple[ModelFile, ...]


def about(value: Mapping[str, Any]) -> About:
    """What the file *value* says.

    Raises:
        WorkflowError: its subgraphs cannot be read.
    """
    info = _object(_object(value.get("extra")).get("info"))
    boards = [value, *definitions(value).values()]
    models = dict.fromkeys(each for board in boards for each in _models(board))
    return About(
        title=_line(info.get("name")),
        description=_line(info.get("description")),
        nodes=sum(len(_list(board.get("nodes"))) for board in boards),
        parts=tuple(filter(None, (_line(board.get("name")) for board in boards[1:]))),
        models=tuple(models)[:_MOST_MODELS],
    )


def _models(board: Mapping[str, Any]) -> Iterator[ModelFile]:
    for node in _list(board.get("nodes")):
        for each in _list(_object(_object(node).get("properties")).get("models")):
            name, directory, url = (_line(_object(each).get(key)) for key in _FIELDS)
            if name:
                yield ModelFile(name, directory, url)


_FIELDS = ("name", "directory", "url")


def _object(told: object) -> Mapping[str, Any]:
    return told if is_object(told) else {}


def _list(told: object) -> list[Any]:
    return told if is_list(told) else []


def _line(told: object) -> str:
    """One line of printable characters."""
    text = " ".join(told[: 4 * _MOST_CHARS].split()) if isinstance(told, str) else ""
    return "".join(filter(str.isprintable, text))[:_MOST_CHARS]
