"""What an agent is told of a node class: values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["InputInfo", "NodeInfo", "NodeRow", "OutputInfo"]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class NodeRow(_Shown):
    """A node class in a line."""

    class_type: str
    title: str | None = None
    description: str | None = None
    category: str
    takes: Annotated[str, Field(description="Types over links; ? where optional")] = ""
    gives: str = ""
    flags: list[str] | None = None


class InputInfo(_Shown):
    """An input by the name that a graph gives it."""

    name: str
    type: str
    optional: bool | None = None
    link_only: bool | None = None
    default: Any = None
    min: float | int | None = None
    max: float | int | None = None
    step: float | int | None = None
    choices: list[Any] | None = None
    choices_total: int | None = None
    when: Annotated[
        dict[str, list[str]] | None, Field(description="Only there if that input has such a value")
    ] = None
    grows: str | None = None
    takes_upload: bool | None = None
    tooltip: str | None = None


class OutputInfo(_Shown):
    """An output; a link to it is [node id, slot]."""

    slot: int
    type: str
    name: str | None = None
    is_list: bool | None = None


class NodeInfo(_Shown):
    """All that a graph needs to know of a node class."""

    class_type: str
    title: str | None = None
    category: str
    description: str | None = None
    flags: list[str] | None = None
    inputs: list[InputInfo]
    more_inputs: int | None = None
    outputs: list[OutputInfo]
    example: Annotated[
        dict[str, Any] | None,
        Field(description='As a graph has it; "<TYPE>" is a node to be named'),
    ] = None
    aliases: list[str] | None = None
    module: str | None = None
